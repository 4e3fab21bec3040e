from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import const


@_attrs_frozen(eq=False, repr=False)
class Completion(Schema):
    """Completions of a text; also each part of a stream."""

    id: str
    """ Id of the completion. """

    created: int
    """ When it was created, in seconds since 1970. """

    model: str
    """ Name of the model, as in the request. """

    choices: list[CompletionChoice]
    """ The completions. """

    object_: Literal["text_completion"] = "text_completion"
    """ Type tag, always `text_completion`. """

    usage: CompletionUsage | None = None
    """ The tokens that were used. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "id": self.id,
            "object": self.object_,
            "created": self.created,
            "model": self.model,
            "choices": [item.to_dict() for item in self.choices],
        }
        if self.usage is not None:
            result["usage"] = self.usage.to_dict()
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        usage = src.get("usage")
        return cls(
            src["id"],
            src["created"],
            src["model"],
            [CompletionChoice.from_dict(item) for item in src["choices"]],
            const(src["object"], "text_completion", "object"),
            None if usage is None else CompletionUsage.from_dict(usage),
        )


from ..models.completion_choice import CompletionChoice  # noqa: E402
from ..models.completion_usage import CompletionUsage  # noqa: E402
