from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema


@_attrs_frozen(eq=False, repr=False)
class SamplingParams(Schema):
    """How to sample."""

    max_tokens: int | None = None
    """ Maximum number of tokens to sample; null means up to the end of the context. """

    seed: int | None = None
    """ Seed of the random numbers: the same seed gives the same samples. Null means a random seed. """

    stop: list[int] | list[str] | None | str = None
    """ Where to stop: a string, strings, or token ids. Null stops at the end-of-sequence token; an empty list stops
    nowhere. """

    temperature: float = 1.0
    """ Number that the logits are divided by; 0 is greedy. """

    top_k: int = -1
    """ Number of the most likely tokens to sample from; -1 means all tokens. """

    top_p: float = 1.0
    """ Probability mass to sample from: the most likely tokens that together have this probability. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "temperature": self.temperature,
            "top_k": self.top_k,
            "top_p": self.top_p,
        }
        if self.max_tokens is not None:
            result["max_tokens"] = self.max_tokens
        if self.seed is not None:
            result["seed"] = self.seed
        if self.stop is not None:
            result["stop"] = self.stop
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        max_tokens = src.get("max_tokens")
        seed = src.get("seed")
        stop = src.get("stop")
        temperature = src.get("temperature")
        top_k = src.get("top_k")
        top_p = src.get("top_p")
        return cls(
            max_tokens,
            seed,
            stop,
            1.0 if temperature is None else temperature,
            -1 if top_k is None else top_k,
            1.0 if top_p is None else top_p,
        )
