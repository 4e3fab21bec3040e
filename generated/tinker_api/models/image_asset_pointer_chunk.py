from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..models.image_format import ImageFormat
from ..types import const


@_attrs_frozen(eq=False, repr=False)
class ImageAssetPointerChunk(Schema):
    """An image that the server can fetch. It cannot be sent as protobuf."""

    location: str
    """ Where the server finds the image. """

    format: ImageFormat
    """ Format of an image file. """

    type: Literal["image_asset_pointer"] = "image_asset_pointer"
    """ Type tag, always `image_asset_pointer`. """

    expected_tokens: int | None = None
    """ Number of tokens that the client expects the image to take. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "type": self.type,
            "location": self.location,
            "format": self.format,
        }
        if self.expected_tokens is not None:
            result["expected_tokens"] = self.expected_tokens
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        expected_tokens = src.get("expected_tokens")
        return cls(
            src["location"],
            src["format"],
            const(src["type"], "image_asset_pointer", "type"),
            expected_tokens,
        )
