from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import parse_time


@_attrs_frozen(eq=False, repr=False)
class CheckpointArchiveUrlResponse(Schema):
    """The URL of an archive."""

    url: str
    """ Signed URL of the archive. """

    expires: datetime.datetime | None = None
    """ When the URL stops working. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "url": self.url,
        }
        if self.expires is not None:
            result["expires"] = self.expires.isoformat()
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        expires = src.get("expires")
        return cls(
            src["url"],
            None if expires is None else parse_time(expires),
        )
