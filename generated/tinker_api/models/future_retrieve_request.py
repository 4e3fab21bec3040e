from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema


@_attrs_frozen(eq=False, repr=False)
class FutureRetrieveRequest(Schema):
    """The promise to wait for."""

    request_id: str
    """ Id of the promise. """

    allow_metadata_only: bool | None = None
    """ Whether the server may return `complete_metadata` first if the result is large. Default false. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "request_id": self.request_id,
        }
        if self.allow_metadata_only is not None:
            result["allow_metadata_only"] = self.allow_metadata_only
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        allow_metadata_only = src.get("allow_metadata_only")
        return cls(
            src["request_id"],
            allow_metadata_only,
        )
