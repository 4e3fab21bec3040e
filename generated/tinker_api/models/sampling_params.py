from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema


@_attrs_frozen
class SamplingParams(Schema):
    """How to sample."""

    max_tokens: int | None = None
    """ Tokens to sample at the most; null means up to the end of the context. """

    seed: int | None = None
    """ The same seed gives the same samples; null means random. """

    stop: list[int] | list[str] | None | str = None
    """ Where to stop: a text, texts, or token ids. Null means at the end-of-sequence token; an empty list means
    nowhere. """

    temperature: float = 1.0
    """ Divides the logits; 0 is greedy. """

    top_k: int = -1
    """ Keep only the k most likely tokens; -1 keeps all. """

    top_p: float = 1.0
    """ Keep only the most likely tokens that make up this probability. """

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
            max_tokens=max_tokens,
            seed=seed,
            stop=stop,
            temperature=1.0 if temperature is None else temperature,
            top_k=-1 if top_k is None else top_k,
            top_p=1.0 if top_p is None else top_p,
        )
