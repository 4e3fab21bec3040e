from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import parse_time


@_attrs_frozen(eq=False, repr=False)
class ExternalWeightsUploadStartResponse(Schema):
    """An upload that has started."""

    upload_id: str
    """ Id of the upload. """

    urls: ExternalWeightsUploadURLs
    """ Where to upload each file, by its name: an object for clients of SDK 0.40 and later, a string for those of 0.39.
    """

    expires: datetime.datetime
    """ When the URLs stop working. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "upload_id": self.upload_id,
            "urls": self.urls.to_dict(),
            "expires": self.expires.isoformat(),
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        return cls(
            src["upload_id"],
            ExternalWeightsUploadURLs.from_dict(src["urls"]),
            parse_time(src["expires"]),
        )


from ..models.external_weights_upload_ur_ls import ExternalWeightsUploadURLs  # noqa: E402
