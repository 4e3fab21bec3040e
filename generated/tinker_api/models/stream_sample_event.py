from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema


@_attrs_frozen(eq=False, repr=False)
class StreamSampleEvent(Schema):
    """A part of a sample."""

    token: None | str = None
    """ Text of the token; what is still incomplete comes with a later token. """

    token_id: int | None = None
    """ Id of the token. """

    index: int | None = None
    """ Number of the sample, from 0. """

    finish_reason: None | str = None
    """ `stop` or `length`, when the sample is complete. """

    total_tokens: int | None = None
    """ Number of tokens of the sample, when it is complete. """

    logprob: float | None = None
    """ Log-probability of the token. """

    error: None | str = None
    """ What went wrong. It ends the stream. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {}
        if self.token is not None:
            result["token"] = self.token
        if self.token_id is not None:
            result["token_id"] = self.token_id
        if self.index is not None:
            result["index"] = self.index
        if self.finish_reason is not None:
            result["finish_reason"] = self.finish_reason
        if self.total_tokens is not None:
            result["total_tokens"] = self.total_tokens
        if self.logprob is not None:
            result["logprob"] = self.logprob
        if self.error is not None:
            result["error"] = self.error
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        token = src.get("token")
        token_id = src.get("token_id")
        index = src.get("index")
        finish_reason = src.get("finish_reason")
        total_tokens = src.get("total_tokens")
        logprob = src.get("logprob")
        error = src.get("error")
        return cls(
            token,
            token_id,
            index,
            finish_reason,
            total_tokens,
            logprob,
            error,
        )
