from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import tagged


@_attrs_frozen(eq=False, repr=False)
class ModelInput(Schema):
    """The input of a model."""

    chunks: list[DmelChunk | EncodedTextChunk | ImageAssetPointerChunk | ImageChunk]
    """ The parts of the input, in order. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "chunks": [item.to_dict() for item in self.chunks],
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        return cls(
            [
                tagged(
                    item,
                    "type",
                    {
                        "encoded_text": EncodedTextChunk,
                        "image": ImageChunk,
                        "image_asset_pointer": ImageAssetPointerChunk,
                        "dmel": DmelChunk,
                    },
                )
                for item in src["chunks"]
            ],
        )


from ..models.dmel_chunk import DmelChunk  # noqa: E402
from ..models.encoded_text_chunk import EncodedTextChunk  # noqa: E402
from ..models.image_asset_pointer_chunk import ImageAssetPointerChunk  # noqa: E402
from ..models.image_chunk import ImageChunk  # noqa: E402
