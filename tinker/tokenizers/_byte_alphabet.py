"""The alphabet in which byte-level BPE files write tokens: one printable character for each byte."""

from __future__ import annotations

# Printable Latin-1 stands for itself, the other bytes for the characters from U+0100 on, in order.
_PRINTABLE = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
_OTHERS = [byte for byte in range(256) if byte not in set(_PRINTABLE)]
_CHARACTERS = {byte: chr(byte) for byte in _PRINTABLE} | {
    byte: chr(0x100 + n) for n, byte in enumerate(_OTHERS)
}

_DECODE = {ord(character): byte for byte, character in _CHARACTERS.items()}
_ALPHABET = frozenset(_CHARACTERS.values())
_SEPARATOR = "\uffff"


def to_characters(token: bytes) -> str:
    return token.decode("latin-1").translate(_CHARACTERS)


def to_bytes(token: str) -> bytes | None:
    """The bytes that `token` stands for; None when a character is not of the alphabet."""
    return token.translate(_DECODE).encode("latin-1") if _ALPHABET.issuperset(token) else None


def all_to_bytes(tokens: list[str]) -> list[bytes] | None:
    """`to_bytes` of many tokens at once; None when any of them is not in the alphabet."""
    joined = _SEPARATOR.join(tokens)  # one translation is ten times as fast as 100,000
    if not (_ALPHABET | {_SEPARATOR}).issuperset(joined):
        return None
    pieces = joined.translate(_DECODE).split(_SEPARATOR)
    return [piece.encode("latin-1") for piece in pieces] if len(pieces) == len(tokens) else None
