from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..models.image_format import ImageFormat
from ..types import const


@_attrs_frozen(eq=False, repr=False)
class ImageChunk(Schema):
    """An image, as the bytes of its file."""

    data: str
    """ The bytes of the file, in base64. """

    format: ImageFormat
    """ Format of an image file. """

    type: Literal["image"] = "image"
    """ Type tag, always `image`. """

    expected_tokens: int | None = None
    """ Number of tokens that the client expects the image to take; the server rejects the request if its own count
    differs. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "type": self.type,
            "data": self.data,
            "format": self.format,
        }
        if self.expected_tokens is not None:
            result["expected_tokens"] = self.expected_tokens
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        expected_tokens = src.get("expected_tokens")
        return cls(
            src["data"],
            src["format"],
            const(src["type"], "image", "type"),
            expected_tokens,
        )
