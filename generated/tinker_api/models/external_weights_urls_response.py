from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import parse_time


@_attrs_frozen(eq=False, repr=False)
class ExternalWeightsUrlsResponse(Schema):
    """The URLs of the files of a checkpoint."""

    urls: FileUrls
    """ Signed URLs, by file name. """

    expires: datetime.datetime
    """ When the URLs stop working. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "urls": self.urls,
            "expires": self.expires.isoformat(),
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        return cls(
            FileUrls.from_dict(src["urls"]),
            parse_time(src["expires"]),
        )


from ..models.file_urls import FileUrls  # noqa: E402
