"""`ImageChunk`: an image, sent with the request."""

from __future__ import annotations

from typing import Literal

import attrs

from tinker.types import _images
from tinker.types._base64 import to_bytes
from tinker_api.model import Model, tag
from tinker_api.models.image_format import ImageFormat


@attrs.frozen(kw_only=True)
class ImageChunk(Model):
    """An image in its file format."""

    data: bytes = attrs.field(converter=to_bytes, repr=lambda data: f"<{len(data)} bytes>")
    """The bytes of the file; base64 text is decoded."""
    format: ImageFormat = attrs.field(validator=_images.check_format)
    expected_tokens: int | None = attrs.field(default=None, validator=_images.check_expected_tokens)
    """Number of tokens that the image takes. The server rejects a number that differs from its own."""
    type: Literal["image"] = tag("image")

    @property
    def length(self) -> int:
        """Number of tokens. Raises ValueError without `expected_tokens`."""
        return _images.length(self, self.expected_tokens)
