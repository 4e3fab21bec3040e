"""`tinker eval`."""

from __future__ import annotations

import math
from typing import Any

import click

from tinker import types
from tinker.cli.groups import Command
from tinker.cli.models import sampler
from tinker.cli.options import PATH, settings_options
from tinker.cli.state import State

_RENDERING = ("input_format", "train_on", "chat_template", "max_length", "long_rows")


@click.command(
    cls=Command,
    name="eval",
    epilog="\b\nExamples:\n  tinker eval tinker-runs/my-run test.jsonl\n"
    "  tinker eval Qwen/Qwen3-8B test.jsonl --exact-match --limit 100",
)
@click.argument("model", type=PATH, metavar="MODEL")
@click.argument("data", type=PATH, metavar="DATA")
@click.option(
    "--exact-match", is_flag=True, help="Generate answers too, and compare them with those of DATA."
)
@click.option(
    "--limit", type=click.IntRange(min=1), help="Rows to score at most, from the first on."
)
@click.option(
    "--max-tokens",
    type=click.IntRange(min=1),
    default=256,
    show_default=True,
    help="Tokens of a generated answer at most.",
)
@settings_options(_RENDERING)
@click.pass_obj
def evaluate(
    state: State,
    /,
    model: str,
    data: str,
    exact_match: bool,
    limit: int | None,
    max_tokens: int,
    **given: Any,
) -> None:
    """Score MODEL on DATA: the loss on what would be trained on, and how often the generated answer is the same."""
    from tinker.recipes import evaluation  # noqa: PLC0415  # imported when used
    from tinker.recipes.examples import recognize  # noqa: PLC0415
    from tinker.recipes.rows import read  # noqa: PLC0415
    from tinker.recipes.settings import TrainSettings  # noqa: PLC0415

    values = {name: value for name, value in given.items() if value not in (None, ())}
    settings = TrainSettings.of({"data": data, **values}, "the command line")
    examples = recognize(read(data), settings.input_format)
    client = sampler(state, model)
    with state.progress("Scoring") as progress:
        scores = evaluation.evaluate(
            client,
            examples,
            settings,
            limit=limit,
            exact_match=types.SamplingParams(max_tokens=max_tokens, temperature=0.0)
            if exact_match
            else None,
            progress=progress,
        )
    properties = {
        "Rows": f"{scores.rows:,}",
        "Scored tokens": f"{scores.tokens:,}",
        "Loss (nats per token)": f"{scores.loss:.4f}",
        "Perplexity": f"{math.exp(min(scores.loss, 700)):.4g}",
    }
    if scores.exact_match is not None:
        properties["Exact match"] = f"{scores.exact_match:.1%}"
    state.show_properties({"model": model, **scores.as_dict()}, properties, f"{model} on {data}")
