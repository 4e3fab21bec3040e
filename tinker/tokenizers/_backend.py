"""The interface between a Tokenizer and the library that encodes and decodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ._added_tokens import AddedToken


class Backend(Protocol):
    """Encodes and decodes; knows tokens by their text in the vocabulary file."""

    @property
    def added_tokens(self) -> Sequence[AddedToken]: ...

    @property
    def vocab_size(self) -> int:
        """Without added tokens."""

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]: ...

    def normalize(self, text: str) -> str:
        """The text that the offsets of `encode_with_offsets` point into."""

    def encode_with_offsets(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """Ids without those around a text, and the characters that each one covers."""

    def decode(self, ids: list[int], *, skip_special_tokens: bool) -> str: ...

    def token_to_id(self, token: str) -> int | None: ...

    def id_to_token(self, id_: int) -> str | None: ...

    def vocab(self) -> dict[str, int]:
        """With added tokens."""
