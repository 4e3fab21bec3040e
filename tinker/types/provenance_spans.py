"""Provenance: which earlier sample a run of a datum's positions came from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import attrs

from tinker.types._numbers import is_whole
from tinker_api.model import Model


def _check_count(instance: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    where = f"{type(instance).__name__}.{attribute.name}"
    if not is_whole(value):
        raise TypeError(f"{where} is {value!r}; it must be an integer.")
    if value < 0:
        raise ValueError(f"{where} is {value}; it must be at least 0.")


def _check_id(instance: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    if not isinstance(value, str) or not value:
        raise ValueError(
            f"{type(instance).__name__}.sequence_id is {value!r}; it must be a non-empty string: the "
            "SampledSequence.sequence_id of a sample. Some servers give none."
        )


@attrs.frozen(kw_only=True)
class PromptProvenanceSpan(Model):
    """Positions that repeat part of the prompt of an earlier sample."""

    sequence_id: str = attrs.field(validator=_check_id)
    """`SampledSequence.sequence_id` of that sample."""
    offset: int = attrs.field(default=0, validator=_check_count)
    """Where the part begins in the prompt, in tokens."""
    length: int = attrs.field(validator=_check_count)
    """How many positions."""


@attrs.frozen(kw_only=True)
class SampledProvenanceSpan(Model):
    """Positions that repeat part of the tokens of an earlier sample."""

    sequence_id: str = attrs.field(validator=_check_id)
    """`SampledSequence.sequence_id` of that sample."""
    offset: int = attrs.field(default=0, validator=_check_count)
    """Where the part begins in the sampled tokens."""
    length: int = attrs.field(validator=_check_count)
    """How many positions."""


ProvenanceSpan: TypeAlias = PromptProvenanceSpan | SampledProvenanceSpan
ProvenanceSpans: TypeAlias = list[ProvenanceSpan]


def to_spans(spans: Sequence[ProvenanceSpan] | None) -> ProvenanceSpans | None:
    """A list of spans, checked to be spans."""
    if spans is None:
        return None
    for position, span in enumerate(spans):
        if not isinstance(span, ProvenanceSpan):
            raise TypeError(
                f"provenance spans must be PromptProvenanceSpan or SampledProvenanceSpan; "
                f"number {position} is of type {type(span).__name__}."
            )
    return list(spans)
