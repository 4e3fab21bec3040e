"""Bytes that may arrive as base64 text, as they do in JSON."""

from __future__ import annotations

import base64
import binascii


def to_bytes(value: bytes | bytearray | memoryview | str) -> bytes:
    """Bytes as they are; text is base64.

    Raises:
        TypeError: Neither bytes nor text.
        ValueError: The text is not base64.
    """
    if isinstance(value, str):
        try:
            return base64.b64decode("".join(value.split()), validate=True)
        except binascii.Error as error:
            raise ValueError(f"text given for bytes must be base64: {error}.") from None
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    raise TypeError(f"expected bytes or base64 text, not {type(value).__name__}.")
