"""Bytes that may arrive as a base64 string, as in JSON."""

from __future__ import annotations

import base64
import binascii


def to_bytes(value: bytes | bytearray | memoryview | str) -> bytes:
    """Return bytes as they are, and decode a base64 string.

    Raises:
        TypeError: The value is neither bytes nor a string.
        ValueError: The string is not base64.
    """
    if isinstance(value, str):
        try:
            return base64.b64decode("".join(value.split()), validate=True)
        except binascii.Error as error:
            raise ValueError(f"a string in place of bytes must be base64: {error}.") from None
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    raise TypeError(f"expected bytes or a base64 string, not {type(value).__name__}.")
