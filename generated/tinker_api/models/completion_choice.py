from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema


@_attrs_frozen(eq=False, repr=False)
class CompletionChoice(Schema):
    """One completion."""

    index: int
    """ Number of the choice, from 0. """

    text: str
    """ Text of the choice. """

    finish_reason: None | str = None
    """ `stop` or `length`; null in a stream until the choice ends. """

    logprobs: CompletionLogprobs | None = None
    """ Log-probabilities, if the request asks for them. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "index": self.index,
            "text": self.text,
        }
        if self.finish_reason is not None:
            result["finish_reason"] = self.finish_reason
        if self.logprobs is not None:
            result["logprobs"] = self.logprobs.to_dict()
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        finish_reason = src.get("finish_reason")
        logprobs = src.get("logprobs")
        return cls(
            src["index"],
            src["text"],
            finish_reason,
            None if logprobs is None else CompletionLogprobs.from_dict(logprobs),
        )


from ..models.completion_logprobs import CompletionLogprobs  # noqa: E402
