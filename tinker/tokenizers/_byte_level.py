"""Byte-level BPE on tiktoken."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import tiktoken

from ._added_tokens import WHITE_SPACE, AddedToken, AddedTokens
from ._byte_alphabet import to_bytes, to_characters
from ._errors import TokenizerError
from ._normalize import Form, normalize

_WHOLE_TEXT = r"[\s\S]+"
# tiktoken's engine keeps a place to go back to for every space of a run, a million at most, and
# panics beyond.
_LONGEST_SPACES = 500_000
# Moonshot's own tokenizer cuts texts before tiktoken sees them: into parts of so many characters,
# and these within longer runs of white space or of anything else.
_PART = 400_000
_RUN = 25_000
_RUN_PATTERN = re.compile(r"\s+|\S+")


@dataclass(frozen=True)
class ByteLevelParts:
    """Everything that makes a byte-level BPE tokenizer.

    `tokens` are the bytes of each id; `ranks` what tiktoken merges by (the ids, where these follow
    the order of merging); `vocab_size` the size without added tokens; `prefix` and `suffix` the ids
    put around a text with `add_special_tokens`; `cut_runs` whether long texts are cut as Moonshot's
    own tokenizer does.
    """

    name: str
    pattern: str
    tokens: dict[int, bytes]
    ranks: dict[bytes, int]
    vocab_size: int
    added_tokens: tuple[AddedToken, ...] = ()
    normal_form: Form | None = None
    prefix: tuple[int, ...] = ()
    suffix: tuple[int, ...] = ()
    cut_runs: bool = False


class ByteLevelBackend:
    """tiktoken's merging, between what it leaves out: added tokens, normalisation, other ids."""

    def __init__(self, parts: ByteLevelParts) -> None:
        self._parts = parts
        self._encoding = tiktoken.Encoding(
            parts.name, pat_str=parts.pattern, mergeable_ranks=parts.ranks, special_tokens={}
        )
        id_of_rank = {
            parts.ranks[token]: id_ for id_, token in parts.tokens.items() if token in parts.ranks
        }
        same = all(rank == id_ for rank, id_ in id_of_rank.items())
        self._id_of_rank = None if same else id_of_rank
        normal = partial(normalize, parts.normal_form) if parts.normal_form else None
        self._added = AddedTokens(parts.added_tokens, normal)
        self._added_ids = {token.content: token.id for token in parts.added_tokens}
        self._bytes = parts.tokens | {t.id: _added_bytes(t.content) for t in parts.added_tokens}
        self._ordinary_bytes = {
            **self._bytes,
            **{token.id: b"" for token in parts.added_tokens if token.special},
        }

    def __reduce__(self) -> tuple[type[ByteLevelBackend], tuple[ByteLevelParts]]:
        return type(self), (self._parts,)

    @property
    def added_tokens(self) -> Sequence[AddedToken]:
        return self._parts.added_tokens

    @property
    def vocab_size(self) -> int:
        return self._parts.vocab_size

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        if not text.isascii():
            _refuse_surrogates(text)
        ids: list[int] = []
        for part in _cut(text) if self._parts.cut_runs else (text,):
            for piece in self._added.split(part):
                if isinstance(piece, int):
                    ids.append(piece)
                else:
                    ids += self._encode_ordinary(piece)
        if add_special_tokens:
            return [*self._parts.prefix, *ids, *self._parts.suffix]
        return ids

    def _encode_ordinary(self, text: str) -> list[int]:
        if _may_have_run(text, _LONGEST_SPACES):
            pieces = self._splitter(text)
            ranks = [rank for piece in pieces for rank in self._whole.encode_ordinary(piece)]
        else:
            ranks = self._encoding.encode_ordinary(text)
        if self._id_of_rank is None:
            return ranks
        return list(map(self._id_of_rank.__getitem__, ranks))

    @cached_property
    def _splitter(self) -> Callable[[str], Iterator[str]]:
        """The pattern in a slower engine without that limit."""
        import regex  # type: ignore[import-untyped]  # noqa: PLC0415 - for rare texts only

        # Its own \s also takes U+001C to U+001F.
        pattern = self._parts.pattern.replace(r"\s", r"\p{White_Space}")
        pattern = regex.compile("(?V1)" + pattern.replace(r"\S", r"\P{White_Space}"))
        return lambda text: (match.group() for match in pattern.finditer(text))

    @cached_property
    def _whole(self) -> tiktoken.Encoding:
        """Merges one piece, without cutting it."""
        return tiktoken.Encoding(
            self._parts.name,
            pat_str=_WHOLE_TEXT,
            mergeable_ranks=self._parts.ranks,
            special_tokens={},
        )

    def normalize(self, text: str) -> str:
        form = self._parts.normal_form
        return normalize(form, text) if form else text

    def encode_with_offsets(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """As `Backend` has it; `text` must be normal."""
        ids = self.encode(text, add_special_tokens=False)
        content = text.encode()
        # Of each byte, the index of its character; one more for the end.
        characters = [n for n, one in enumerate(text) for _ in one.encode()] + [len(text)]
        swallowing = {token.id for token in self._parts.added_tokens if token.rstrip}
        offsets = []
        place = 0
        for id_ in ids:
            token = self._bytes[id_]
            begin = place
            while not content.startswith(token, place):
                # White space that an added token swallows belongs to it.
                if place >= len(content) or text[characters[place]] not in WHITE_SPACE:
                    raise TokenizerError(f"Token {id_} does not match the text: is it normalized?")
                place += 1
            place += len(token)
            while (
                id_ in swallowing and text[characters[place] : characters[place] + 1] in WHITE_SPACE
            ):
                place += 1
            offsets.append((characters[begin], characters[place - 1] + 1))
        return ids, offsets

    def decode(self, ids: list[int], *, skip_special_tokens: bool) -> str:
        table = self._ordinary_bytes if skip_special_tokens else self._bytes
        try:
            text = b"".join(map(table.__getitem__, ids))
        except KeyError:
            for id_ in ids:
                if not hasattr(id_, "__index__") or id_ < 0:
                    raise TokenizerError(
                        f"{id_!r} is not a token id of {self._parts.name}."
                    ) from None
            text = b"".join(table.get(id_, b"") for id_ in ids)
        return text.decode("utf-8", errors="replace")

    def token_to_id(self, token: str) -> int | None:
        if token in self._added_ids:
            return self._added_ids[token]
        content = to_bytes(token)
        return None if content is None else self._id_of_bytes.get(content)

    @cached_property
    def _id_of_bytes(self) -> dict[bytes, int]:
        return {token: id_ for id_, token in self._parts.tokens.items()}

    @cached_property
    def _added_contents(self) -> dict[int, str]:
        return {token.id: token.content for token in self._parts.added_tokens}

    def id_to_token(self, id_: int) -> str | None:
        if id_ in self._added_contents:
            return self._added_contents[id_]
        token = self._parts.tokens.get(id_)
        return None if token is None else to_characters(token)

    def vocab(self) -> dict[str, int]:
        own = {to_characters(token): id_ for id_, token in self._parts.tokens.items()}
        return own | self._added_ids


def _added_bytes(content: str) -> bytes:
    """The bytes of an added token, which the format may also write in the alphabet of bytes."""
    as_bytes = to_bytes(content)
    return content.encode() if as_bytes is None else as_bytes


def _refuse_surrogates(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise TokenizerError(
            f"The text is not valid Unicode: it has an unpaired surrogate ({text[error.start]!a}) at index"
            f" {error.start}."
        ) from None


def _may_have_run(text: str, length: int) -> bool:
    """False only if no run of white space, or of anything else, is longer than `length`.

    Looks at one place in `length / 2`: a longer run covers two of these with all between them.
    """
    half = length // 2
    for place in range(0, len(text) - half, half):
        match = _RUN_PATTERN.match(text, place)
        if match and match.end() - place >= half:
            return True
    return False


def _cut(text: str) -> Iterator[str]:
    for start in range(0, len(text), _PART):
        part = text[start : start + _PART]
        if not _may_have_run(part, _RUN):
            yield part
            continue
        begin = 0
        for run in _RUN_PATTERN.finditer(part):
            for end in range(run.start() + _RUN, run.end(), _RUN):
                yield part[begin:end]
                begin = end
        yield part[begin:]
