"""`ImageAssetPointerChunk`: an image that the server fetches."""

from __future__ import annotations

from typing import Literal

import attrs

from tinker.types import _images
from tinker_api.model import Model, tag
from tinker_api.models.image_format import ImageFormat


@attrs.frozen(kw_only=True)
class ImageAssetPointerChunk(Model):
    """A reference to an image. It can be sent only as JSON, not as protobuf."""

    format: ImageFormat = attrs.field(validator=_images.check_format)
    location: str = attrs.field(validator=attrs.validators.instance_of(str))
    expected_tokens: int | None = attrs.field(default=None, validator=_images.check_expected_tokens)
    """Number of tokens that the image takes. The server rejects a number that differs from its own."""
    type: Literal["image_asset_pointer"] = tag("image_asset_pointer")

    @property
    def length(self) -> int:
        """Number of tokens. Raises ValueError without `expected_tokens`."""
        return _images.length(self, self.expected_tokens)
