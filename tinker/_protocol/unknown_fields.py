"""Fields that a server does not know, and that requests can do without."""

from __future__ import annotations

from typing import TypeVar

from attrs import evolve

from tinker import _log
from tinker._protocol import server_traits
from tinker.errors import APIStatusError
from tinker_api.types import File, JSONBody, Message

M = TypeVar("M", bound=Message)  # type: ignore[type-arg]  # of any response


class UnknownFields:
    """What one server has rejected so far, for each kind of request body."""

    def __init__(self) -> None:
        self._unknown: dict[type, set[str]] = {}

    def learn(self, body: JSONBody | File | None, refusal: APIStatusError) -> bool:
        """Whether the server rejected only fields that the request can do without. They are remembered."""
        unknown = server_traits.unknown_fields(refusal.body)
        sent = {name for name in unknown if getattr(body, name, None) is not None}
        if not sent or not sent <= server_traits.DISPENSABLE_FIELDS:
            return False
        _log.FIELDS_LEFT_OUT(error=refusal.message, fields=sorted(sent))
        self._unknown.setdefault(type(body), set()).update(sent)
        return True

    def left_out(self, message: M) -> M:
        """The message without them."""
        unknown = self._unknown.get(type(message.body))
        if not unknown or message.body is None:
            return message
        return evolve(message, body=evolve(message.body, **dict.fromkeys(unknown)))  # type: ignore[misc]  # a generated model
