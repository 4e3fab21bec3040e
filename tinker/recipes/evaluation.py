"""Scores of a model on a data file."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import attrs
from attrs import evolve, frozen

from tinker import APIFuture, SamplingClient, types
from tinker.recipes.errors import RecipeError
from tinker.recipes.examples import Examples
from tinker.recipes.rendering import Rendered, render, template_of
from tinker.recipes.settings import TrainSettings
from tinker.tokenizers import Tokenizer


@frozen
class Scores:
    """How a model does on a data set."""

    rows: int
    tokens: int
    """Tokens that were scored."""
    loss: float
    """Their mean negative log-likelihood, in nats."""
    exact_match: float | None = None
    """Share of the rows whose generated answer is the one of the data."""

    def as_dict(self) -> dict[str, Any]:
        return attrs.asdict(self)


def evaluate(
    client: SamplingClient,
    examples: Examples,
    settings: TrainSettings,
    *,
    limit: int | None = None,
    exact_match: types.SamplingParams | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> Scores:
    """Score examples.

    Args:
        client: The model.
        examples: From `examples.recognize`; preference pairs are not scored.
        settings: How rows are rendered, and which tokens count: those that would be trained on.
        limit: Rows to score at most.
        exact_match: Generate an answer to each row in this way too, and compare it.
        progress: Called with the rows done and all rows.
    """
    if examples.format == "preference":
        raise RecipeError(
            "Preference pairs have no loss of their own; evaluate on chats or completions."
        )
    if limit is not None:
        examples = evolve(examples, examples=examples.examples[:limit])
    tokenizer = client.get_tokenizer()
    data = render(
        examples,
        tokenizer,
        train_on=settings.train_on,
        chat_template=template_of(settings.chat_template),
        max_length=settings.max_length,
        long_rows=settings.long_rows,
    )
    futures = [
        client.compute_logprobs(types.ModelInput.from_ints(row.tokens.tolist()))
        for row in data.rows
    ]
    answers = [_generate(client, row, exact_match) for row in data.rows] if exact_match else []
    total, count = 0.0, 0
    for number, (row, future) in enumerate(zip(data.rows, futures, strict=True), 1):
        logprobs = future.result()
        scored = [
            lp
            for lp, trained in zip(logprobs, row.trained, strict=True)
            if trained and lp is not None
        ]
        total -= math.fsum(scored)
        count += len(scored)
        if progress is not None:
            progress(number, len(data.rows))
    same = [
        _same(tokenizer, row, answer.result())
        for row, answer in zip(data.rows, answers, strict=False)
    ]
    return Scores(
        rows=len(data.rows),
        tokens=count,
        loss=total / count,
        exact_match=sum(same) / len(same) if same else None,
    )


def _answer_start(row: Rendered) -> int:
    """Where the last trained stretch of a row begins."""
    start = len(row.tokens) - 1
    while not row.trained[start]:
        start -= 1
    while start > 0 and row.trained[start - 1]:
        start -= 1
    return start


def _generate(
    client: SamplingClient, row: Rendered, params: types.SamplingParams
) -> APIFuture[types.SampleResponse]:
    prompt = types.ModelInput.from_ints(row.tokens[: max(1, _answer_start(row))].tolist())
    return client.sample(prompt, 1, params)


def _same(tokenizer: Tokenizer, row: Rendered, response: types.SampleResponse) -> bool:
    start = _answer_start(row)
    end = start
    while end < len(row.tokens) and row.trained[end]:
        end += 1
    return _text(tokenizer, row.tokens[start:end].tolist()) == _text(
        tokenizer, response.sequences[0].tokens
    )


def _text(tokenizer: Tokenizer, tokens: Sequence[int]) -> str:
    return tokenizer.decode(list(tokens), skip_special_tokens=True).strip()
