from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema


@_attrs_frozen(eq=False, repr=False)
class CompletionEvent(Schema):
    """A server-sent event of a stream of completions."""

    data: str
    """ A `ChatCompletionChunk`, a `Completion` or an `OpenAIErrorResponse` in JSON; `[DONE]` at the end. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "data": self.data,
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        return cls(
            src["data"],
        )
