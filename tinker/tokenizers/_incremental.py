"""Ids to text, one at a time."""

from __future__ import annotations

from ._tokenizer import Tokenizer

_UNFINISHED = "\ufffd"
"""What a decoder makes of the first bytes of a character."""


class IncrementalDecoder:
    """Return the text that each id adds; joined, the pieces are what `decode` returns for all ids.

    A character of several tokens is added by the last of them. How a token reads may depend on what is
    before it, so each is decoded together with those that the text before it came from.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._ids: list[int] = []
        self._told = 0
        """How many of the ids have been returned as text."""

    def push(self, token_id: int) -> str:
        """Return the text that this id completes."""
        self._ids.append(token_id)
        text = self._rest()
        if not text or text.endswith(_UNFINISHED):
            return ""
        del self._ids[: self._told]
        self._told = len(self._ids)
        return text

    def finish(self) -> str:
        """Return the rest, when no more ids follow."""
        text = self._rest()
        self._told = len(self._ids)
        return text

    def _rest(self) -> str:
        before = self._tokenizer.decode(self._ids[: self._told])
        return self._tokenizer.decode(self._ids)[len(before) :]
