from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema


@_attrs_frozen(eq=False, repr=False)
class ChatLogprobs(Schema):
    """The log-probabilities of a choice."""

    content: list[TokenLogprob] | None = None
    """ Log-probabilities of each sampled token. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {}
        if self.content is not None:
            result["content"] = [item.to_dict() for item in self.content]
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        content = src.get("content")
        return cls(
            None if content is None else [TokenLogprob.from_dict(item) for item in content],
        )


from ..models.token_logprob import TokenLogprob  # noqa: E402
