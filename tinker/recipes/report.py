"""Reports what a run would do, before anything is sent."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import attrs
import numpy as np
from attrs import field, frozen

from tinker.recipes import prices
from tinker.recipes.errors import Problem
from tinker.recipes.examples import Conversation, Examples
from tinker.recipes.rendering import Rendered, RenderedData


@frozen
class DataReport:
    """The numbers of a data set, rendered for one model."""

    source: str
    format: str
    reason: str
    rows: int
    """Rows that are trained on or held out (pairs count once)."""
    held_out: int
    tokens: int
    """Of the rows that are trained on."""
    trained_tokens: int
    truncated: list[Problem]
    dropped: list[Problem]
    longest: list[tuple[int, int]]
    """Line and tokens of the longest rows."""
    percentiles: dict[str, int]
    """Tokens of a row: `p50`, `p90`, `p99`, `max`."""
    duplicates: list[tuple[int, int]]
    """Lines of a row and of the earlier one that it repeats."""
    notes: list[str]
    """Remarks, such as on conversations without a system message."""

    def as_dict(self) -> dict[str, Any]:
        return attrs.asdict(self)


@frozen
class Plan:
    """The steps of a run, and what they take."""

    steps: int
    steps_per_epoch: int
    batch_size: int
    last_batch: int
    """Rows of the last batch of an epoch, which is smaller when the rows do not divide evenly. None is left out."""
    tokens_per_epoch: int
    tokens: int
    """Of the whole run, evaluation included."""
    learning_rate: float
    cost: float | None = field(default=None)
    """US dollars by the table of `prices`, or None for a model that it does not have."""
    prices_as_of: str = prices.AS_OF.isoformat()


def report(
    examples: Examples, data: RenderedData, train: Sequence[int], held_out: Sequence[int]
) -> DataReport:
    """Count a data set.

    Args:
        examples: As recognized.
        data: As rendered.
        train: Indices of the examples that are trained on.
        held_out: Indices of those that are not.
    """
    rows = [row for index in train for row in data.group(index)]
    lengths = np.array([len(row.tokens) for row in data.rows])
    longest: dict[int, int] = {}
    for n in np.argsort(-lengths, kind="stable"):
        longest.setdefault(data.rows[n].line, int(lengths[n]))  # both answers of a pair have one
        if len(longest) == 3:
            break
    return DataReport(
        source=examples.source,
        format=examples.format,
        reason=examples.reason,
        rows=len(data),
        held_out=len(held_out),
        tokens=sum(len(row.tokens) for row in rows),
        trained_tokens=sum(row.trained_count for row in rows),
        truncated=[
            Problem(row.line, f"{row.truncated} of {len(row.tokens) + row.truncated} tokens cut")
            for row in data.rows
            if row.truncated
        ],
        dropped=list(data.dropped),
        longest=list(longest.items()),
        percentiles={
            **{f"p{p}": int(np.percentile(lengths, p, method="higher")) for p in (50, 90, 99)},
            "max": int(lengths.max()),
        },
        duplicates=_duplicates(data),
        notes=_notes(examples),
    )


def plan(
    data: RenderedData,
    train: Sequence[int],
    held_out_tokens: int,
    *,
    batch_size: int,
    num_epochs: int,
    max_steps: int | None,
    evaluations: int,
    learning_rate: float,
    base_model: str,
) -> Plan:
    """What a run with these settings does."""
    per_epoch = math.ceil(len(train) / batch_size)
    steps = per_epoch * num_epochs
    tokens_per_epoch = sum(len(row.tokens) for index in train for row in data.group(index))
    tokens = tokens_per_epoch * num_epochs
    if max_steps is not None and max_steps < steps:
        tokens = round(tokens * max_steps / steps)
        steps = max_steps
    tokens += held_out_tokens * evaluations
    return Plan(
        steps=steps,
        steps_per_epoch=per_epoch,
        batch_size=batch_size,
        last_batch=len(train) - (per_epoch - 1) * batch_size,
        tokens_per_epoch=tokens_per_epoch,
        tokens=tokens,
        learning_rate=learning_rate,
        cost=prices.training_cost(base_model, tokens),
    )


def _duplicates(data: RenderedData) -> list[tuple[int, int]]:
    seen: dict[bytes, int] = {}
    found = []
    for index in range(len(data)):
        group: Sequence[Rendered] = data.group(index)
        key = b"|".join(row.tokens.tobytes() + row.trained.tobytes() for row in group)
        line = group[0].line
        if key in seen:
            found.append((line, seen[key]))
        else:
            seen[key] = line
    return found


def _notes(examples: Examples) -> list[str]:
    conversations = [e for e in examples.examples if isinstance(e, Conversation)]
    if not conversations:
        return []
    notes = []
    count = len(conversations)
    with_system = sum(
        any(message["role"] in ("system", "developer") for message in c.messages)
        for c in conversations
    )
    if 0 < with_system < count:
        notes.append(f"{count - with_system} of {count} conversations have no system message.")
    without_user = sum(
        not any(message["role"] == "user" for message in c.messages) for c in conversations
    )
    if without_user:
        notes.append(f"{without_user} of {count} conversations have no message of the user.")
    silent = sum(
        any(
            m["role"] == "assistant" and not m["content"] and not m.get("tool_calls")
            for m in c.messages
        )
        for c in conversations
    )
    if silent:
        notes.append(f"{silent} of {count} conversations have an empty message of the assistant.")
    unanswered = sum(c.messages[-1]["role"] != "assistant" for c in conversations)
    if unanswered:
        notes.append(f"{unanswered} of {count} conversations do not end with the assistant.")
    turns = Counter(sum(m["role"] == "assistant" for m in c.messages) for c in conversations)
    if len(turns) > 1:
        notes.append(f"Conversations have {min(turns)} to {max(turns)} turns of the assistant.")
    return notes
