"""`tinker data`."""

from __future__ import annotations

from typing import Any

import click

from tinker.cli import data_view
from tinker.cli.groups import Group
from tinker.cli.options import PATH, settings_of, settings_options
from tinker.cli.state import State

_RENDERING = ("model_name", "input_format", "train_on", "chat_template", "max_length", "long_rows")


@click.group(cls=Group)
def data() -> None:
    """Check and show data files. Nothing is trained."""


@data.command(
    "check",
    epilog="\b\nExamples:\n  tinker data check chats.jsonl --model Qwen/Qwen3-8B\n  tinker -f json data check chats.jsonl",
)
@click.argument("data_file", metavar="DATA", type=PATH)
@settings_options(_RENDERING)
@click.pass_obj
def check(state: State, /, data_file: str, **given: Any) -> None:
    """Say what a data file holds, and whether it can be trained on."""
    from tinker.recipes.supervised import Training  # noqa: PLC0415  # imported when used

    training = Training(state.service, settings_of(data_file, given, None))
    if state.is_json:
        value = data_view.report_value(training)
        del value["plan"]
        state.print_json(value)
        return
    data_view.show_report(state, training.report, None, training.base_model)
    data_view.show_row(state, training.data.rows[0], training.tokenizer)


@data.command(
    "show",
    epilog="\b\nExample:\n  tinker data show chats.jsonl --model Qwen/Qwen3-8B --line 17",
)
@click.argument("data_file", metavar="DATA", type=PATH)
@click.option(
    "--line",
    type=click.IntRange(min=1),
    help="The row that begins on this line. Default: the first rows.",
)
@click.option(
    "--rows", type=click.IntRange(min=1), default=3, show_default=True, help="Rows to show."
)
@settings_options(_RENDERING)
@click.pass_obj
def show(state: State, /, data_file: str, line: int | None, rows: int, **given: Any) -> None:
    """Show rows as the model sees them, with what is trained on in color."""
    from tinker.recipes.supervised import Training  # noqa: PLC0415

    training = Training(state.service, settings_of(data_file, given, None))
    found = [row for row in training.data.rows if line in (None, row.line)]
    if not found:
        raise click.ClickException(f"No row of {data_file} begins on line {line}.")
    shown = found if line is not None else found[:rows]
    if state.is_json:
        state.print_json(
            {
                "rows": [
                    {
                        "line": row.line,
                        "tokens": row.tokens,
                        "trained": row.trained,
                        "text": training.tokenizer.decode(row.tokens.tolist()),
                    }
                    for row in shown
                ]
            }
        )
        return
    for row in shown:
        data_view.show_row(state, row, training.tokenizer)
