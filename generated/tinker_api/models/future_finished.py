from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import const


@_attrs_frozen(eq=False, repr=False)
class FutureFinished(Schema):
    """The result of a promise is ready."""

    request_id: str
    """ Id of the promise. """

    state: Literal["finished"] = "finished"
    """ Type tag, always `finished`. """

    response_payload_uncompressed_size: int | None = None
    """ Size of the result, in bytes. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "state": self.state,
            "request_id": self.request_id,
        }
        if self.response_payload_uncompressed_size is not None:
            result["response_payload_uncompressed_size"] = self.response_payload_uncompressed_size
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        response_payload_uncompressed_size = src.get("response_payload_uncompressed_size")
        return cls(
            src["request_id"],
            const(src["state"], "finished", "state"),
            response_payload_uncompressed_size,
        )
