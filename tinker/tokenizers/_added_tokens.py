"""Added tokens: cut out of a text before anything else is encoded."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

# Unicode's White_Space, which is not quite Python's str.isspace().
WHITE_SPACE = frozenset(
    "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000"
    "\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
)

_Trie: TypeAlias = "dict[str, _Trie]"


@dataclass(frozen=True)
class AddedToken:
    """A token found by its text.

    `special` ones can be left out when decoding. `lstrip` and `rstrip` swallow the white space
    before and behind. `normalized` ones match after normalization, not before.
    """

    content: str
    id: int
    special: bool = True
    lstrip: bool = False
    rstrip: bool = False
    normalized: bool = False


class AddedTokens:
    """Splits text at added tokens, in two passes as Hugging Face's tokenizers do.

    First the tokens that match the text as it is; then, in the normalized rest, the others.
    In each pass the leftmost match wins, and the longest of those.
    """

    def __init__(
        self, tokens: Iterable[AddedToken], normalize: Callable[[str], str] | None = None
    ) -> None:
        self.tokens = tuple(tokens)
        self._normalize = normalize
        self._raw = _Finder({t.content: t for t in self.tokens if not t.normalized})
        self._normalized = _Finder({t.content: t for t in self.tokens if t.normalized})

    def split(self, text: str) -> Iterator[str | int]:
        """The ids of the added tokens in `text`, and the normalised text between them."""
        for piece in self._raw.split(text):
            if isinstance(piece, int):
                yield piece
            else:
                normal = self._normalize(piece) if self._normalize else piece
                yield from self._normalized.split(normal)


class _Finder:
    def __init__(self, tokens: dict[str, AddedToken]) -> None:
        self._tokens = {content: token for content, token in tokens.items() if content}
        self._pattern = re.compile(_trie_pattern(self._tokens)) if self._tokens else None

    def split(self, text: str) -> Iterator[str | int]:
        begin = 0
        for match in self._pattern.finditer(text) if self._pattern else ():
            token = self._tokens[match.group()]
            start, end = match.span()
            while token.lstrip and start > begin and text[start - 1] in WHITE_SPACE:
                start -= 1
            while token.rstrip and end < len(text) and text[end] in WHITE_SPACE:
                end += 1
            if begin < start:
                yield text[begin:start]
            yield token.id
            begin = end
        if begin < len(text):
            yield text[begin:]


def _trie_pattern(words: Iterable[str]) -> str:
    """A pattern that matches the longest of `words` at a place.

    Written as a trie, so that a thousand words that begin alike cost no more than one.
    """
    trie: _Trie = {}
    for word in words:
        node = trie
        for character in word:
            node = node.setdefault(character, {})
        node[""] = {}  # a word may end here

    def pattern(node: _Trie) -> str:
        branches = [re.escape(first) + pattern(rest) for first, rest in node.items() if first]
        if not branches:
            return ""
        if "" in node:
            return f"(?:{'|'.join(branches)})?"
        return branches[0] if len(branches) == 1 else f"(?:{'|'.join(branches)})"

    return pattern(trie)
