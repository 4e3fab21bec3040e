from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import field as _attrs_field
from attrs import frozen as _attrs_frozen

from ..model import Schema


@_attrs_frozen(eq=False, repr=False)
class ExternalWeightsUploadURL(Schema):
    """Where to upload a file."""

    url: str
    """ Signed URL of the file. """

    headers: ExternalWeightsUploadURLHeaders = _attrs_field(
        factory=lambda: ExternalWeightsUploadURLHeaders()
    )
    """ Headers to send with the PUT. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "url": self.url,
        }
        if self.headers:
            result["headers"] = self.headers
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        headers = src.get("headers")
        return cls(
            src["url"],
            ExternalWeightsUploadURLHeaders()
            if headers is None
            else ExternalWeightsUploadURLHeaders.from_dict(headers),
        )


from ..models.external_weights_upload_url_headers import ExternalWeightsUploadURLHeaders  # noqa: E402
