"""`DmelChunk`: audio as a discrete mel spectrogram."""

from __future__ import annotations

from typing import Literal

import attrs

from tinker.types._base64 import to_bytes
from tinker_api.model import Model, tag

_CONSTANT = 254
_DTYPES = 8


@attrs.frozen(kw_only=True)
class DmelChunk(Model):
    """Audio as a tensor of discrete mel bins, one row for each token.

    `dmel` is the tensor with a header: an optional byte 254 (all elements equal, one follows), one
    byte for the element type (0 to 7), the number of dimensions and each dimension as unsigned
    varints; then the elements, little-endian.
    """

    dmel: bytes = attrs.field(converter=to_bytes, repr=lambda data: f"<{len(data)} bytes>")
    """The tensor's bytes; base64 text is decoded."""
    type: Literal["dmel"] = tag("dmel")

    @property
    def length(self) -> int:
        """Number of tokens: the tensor's first dimension. Raises ValueError for a broken header."""
        return _first_dimension(self.dmel)


def _first_dimension(data: bytes) -> int:
    start = 1 if data[:1] == bytes([_CONSTANT]) else 0
    if len(data) <= start:
        raise ValueError("DmelChunk.dmel ends within its header.")
    if data[start] >= _DTYPES:
        raise ValueError(f"DmelChunk.dmel has the element type {data[start]}; it must be 0 to 7.")
    dimensions, start = _varint(data, start + 1)
    if dimensions == 0:
        raise ValueError(
            "DmelChunk.dmel is a tensor without dimensions; it needs one row for each token."
        )
    return _varint(data, start)[0]


def _varint(data: bytes, start: int) -> tuple[int, int]:
    """A number in groups of 7 bits, the lowest first, and where it ends."""
    value = 0
    for shift, byte in enumerate(data[start : start + 10]):
        value |= (byte & 0x7F) << (7 * shift)
        if byte < 0x80:
            return value, start + shift + 1
    raise ValueError("DmelChunk.dmel ends within its header.")
