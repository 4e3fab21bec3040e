"""What a run reports while it goes on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from attrs import field, frozen

from tinker.recipes.run_folder import CheckpointRecord


@frozen
class Step:
    """A step is done."""

    step: int
    """From 0."""
    steps: int
    epoch: int
    loss: float
    """Mean negative log-likelihood of the trained tokens, in nats; of pairs, the DPO loss."""
    tokens: int
    trained_tokens: int
    rows: int
    learning_rate: float
    seconds: float
    """Since the step before."""
    metrics: Mapping[str, float] = field(factory=dict)


@frozen
class Evaluation:
    """The held-out rows were scored after `step` steps."""

    step: int
    loss: float
    best: bool


@frozen
class Saved:
    """A checkpoint was saved."""

    checkpoint: CheckpointRecord


@frozen
class Finished:
    """The run is over."""

    reason: str
    """Why it ended: `done`, `max_steps`, `max_tokens` or `patience`, in words."""
    steps: int
    checkpoint: CheckpointRecord
    best: CheckpointRecord | None
    """The checkpoint with the lowest held-out loss, where one was computed at a checkpoint."""
    tokens: int


Event: TypeAlias = Step | Evaluation | Saved | Finished
