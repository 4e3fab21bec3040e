"""`SampledSequence`: one sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar, get_args

import attrs
import numpy as np

from tinker.types._arrays import Array, brief, same_array
from tinker.types.stop_reason import StopReason
from tinker.types.topk_logprobs import TopkList, TopkLogprobs, topk_as_arrays, topk_as_list
from tinker_api.model import Model

_by_value = attrs.cmp_using(eq=same_array, class_name="Array")


@attrs.frozen(init=False, repr=False)
class SampledSequence(Model):
    """A sample from a model.

    It holds arrays; the lists are made on first use. Two are equal if all fields are.

    Args:
        stop_reason: `"stop"` or `"length"`.
        sequence_id: Id of the sample for provenance spans; "" if the server gives none.
        tokens_np: Sampled token ids, shape [n].
        logprobs_np: Log-probability of each token, shape [n]; None if not requested.
        topk_logprobs_np: The most likely tokens at each position; None if not requested.
        _tokens_list, _logprobs_list, _topk_logprobs_list: The same as lists.
    """

    stop_reason: StopReason
    sequence_id: str
    tokens_np: Array | None = attrs.field(default=None, eq=_by_value, hash=False)
    logprobs_np: Array | None = attrs.field(default=None, eq=_by_value, hash=False)
    _topk: TopkLogprobs | Sequence[Any] | None = attrs.field(
        alias="topk_logprobs_np", default=None, eq=topk_as_arrays, hash=False
    )

    _dump_names: ClassVar[Mapping[str, str]] = {
        "tokens_np": "tokens",
        "logprobs_np": "logprobs",
        "topk_logprobs_np": "topk_logprobs",
    }
    _ignores_unknown = True

    def __init__(
        self,
        stop_reason: StopReason,
        sequence_id: str,
        tokens_np: Array | Sequence[int] | None = None,
        logprobs_np: Array | Sequence[float] | None = None,
        topk_logprobs_np: TopkLogprobs | Sequence[Any] | None = None,
        _tokens_list: Sequence[int] | None = None,
        _logprobs_list: Sequence[float] | None = None,
        _topk_logprobs_list: Sequence[Any] | None = None,
    ) -> None:
        if stop_reason not in get_args(StopReason):
            raise ValueError(f"stop_reason is {stop_reason!r}; it must be 'stop' or 'length'.")
        tokens = _tokens_list if tokens_np is None else tokens_np
        logprobs = _logprobs_list if logprobs_np is None else logprobs_np
        self.__attrs_init__(
            stop_reason,
            sequence_id,
            None if tokens is None else _as_array(tokens, np.int32),
            None if logprobs is None else _as_array(logprobs, np.float32),
            _topk_logprobs_list if topk_logprobs_np is None else topk_logprobs_np,
        )

    @cached_property
    def tokens(self) -> list[int]:
        """Sampled token ids."""
        return [] if self.tokens_np is None else self.tokens_np.tolist()

    @cached_property
    def logprobs(self) -> list[float] | None:
        """Log-probability of each token; None if not requested."""
        return None if self.logprobs_np is None else self.logprobs_np.tolist()

    @cached_property
    def topk_logprobs(self) -> TopkList | None:
        """At each position the most likely tokens with their log-probabilities; None if not requested."""
        return topk_as_list(self._topk)

    @cached_property
    def topk_logprobs_np(self) -> TopkLogprobs | None:
        """`topk_logprobs` as arrays."""
        return topk_as_arrays(self._topk)

    def __repr__(self) -> str:
        count = 0 if self.tokens_np is None else len(self.tokens_np)
        return (
            f"SampledSequence(stop_reason={self.stop_reason!r}, sequence_id={self.sequence_id!r}, "
            f"tokens={brief(self.tokens_np)} ({count}), logprobs={brief(self.logprobs_np)})"
        )


def _as_array(values: Array | Sequence[Any], dtype: type[np.generic]) -> Array:
    """Return an array as it is, and convert anything else to one of `dtype`."""
    return values if isinstance(values, np.ndarray) else np.array(values, dtype)
