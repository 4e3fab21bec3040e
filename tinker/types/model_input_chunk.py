"""`ModelInputChunk`: the kinds of content a model input is made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from tinker.types.dmel_chunk import DmelChunk
from tinker.types.encoded_text_chunk import EncodedTextChunk
from tinker.types.image_asset_pointer_chunk import ImageAssetPointerChunk
from tinker.types.image_chunk import ImageChunk

ModelInputChunk: TypeAlias = EncodedTextChunk | ImageAssetPointerChunk | ImageChunk | DmelChunk

_KINDS: Mapping[str, type[ModelInputChunk]] = {
    "encoded_text": EncodedTextChunk,
    "image": ImageChunk,
    "image_asset_pointer": ImageAssetPointerChunk,
    "dmel": DmelChunk,
}
# The field that identifies the kind if the tag is missing.
_TELLTALES = {
    "tokens": "encoded_text",
    "location": "image_asset_pointer",
    "data": "image",
    "dmel": "dmel",
}


def to_chunk(value: Any) -> ModelInputChunk:
    """A chunk as it is, or one built from a mapping by its `type`.

    Raises:
        TypeError: Neither a chunk nor a mapping.
        ValueError: The type of chunk is unknown, or its fields are wrong.
    """
    if isinstance(value, ModelInputChunk):
        return value
    if not isinstance(value, Mapping):
        raise TypeError(f"a chunk of a ModelInput cannot be of type {type(value).__name__}.")
    kind = value.get("type") or next((_TELLTALES[m] for m in value if m in _TELLTALES), "")
    if kind not in _KINDS:
        raise ValueError(f"unknown type of chunk: {kind!r}; it must be one of {', '.join(_KINDS)}.")
    return _KINDS[kind].model_validate(value)
