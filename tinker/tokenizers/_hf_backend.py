"""All other tokenizers, on Hugging Face's `tokenizers`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tinker import _extras

from ._added_tokens import AddedToken
from ._errors import TokenizerError


class HuggingFaceBackend:
    """A tokenizer.json as that library runs it."""

    def __init__(self, tokenizer: Any, name: str) -> None:
        self._tokenizer = tokenizer
        self._name = name

    @classmethod
    def from_file(
        cls, path: Path, more_tokens: Iterable[AddedToken], reason: str
    ) -> HuggingFaceBackend:
        """Read `path`, and add `more_tokens` behind its own. `reason` says why not tiktoken."""
        try:
            import tokenizers  # noqa: PLC0415 - only when a model needs it
        except ImportError:
            raise ImportError(
                f"{path} needs Hugging Face's tokenizers ({reason}): {_extras.install('tokenizers')}"
            ) from None
        try:
            tokenizer = tokenizers.Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises bare Exception
            raise TokenizerError(f"{path} cannot be read: {error}") from error
        tokenizer.no_truncation()
        tokenizer.no_padding()
        for token in more_tokens:
            more = tokenizers.AddedToken(
                token.content,
                lstrip=token.lstrip,
                rstrip=token.rstrip,
                normalized=token.normalized,
                special=token.special,
            )
            (tokenizer.add_special_tokens if token.special else tokenizer.add_tokens)([more])
        return cls(tokenizer, str(path))

    @property
    def added_tokens(self) -> Sequence[AddedToken]:
        return [
            AddedToken(t.content, id_, t.special, t.lstrip, t.rstrip, t.normalized)
            for id_, t in sorted(self._tokenizer.get_added_tokens_decoder().items())
        ]

    @property
    def vocab_size(self) -> int:
        return int(self._tokenizer.get_vocab_size(with_added_tokens=False))

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=add_special_tokens).ids
        return ids

    def normalize(self, text: str) -> str:
        return text  # the library's offsets point into the text as it was

    def encode_with_offsets(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        encoded = self._tokenizer.encode(text, add_special_tokens=False)
        return encoded.ids, encoded.offsets

    def decode(self, ids: list[int], *, skip_special_tokens: bool) -> str:
        try:
            text: str = self._tokenizer.decode(ids, skip_special_tokens=skip_special_tokens)
        except (OverflowError, TypeError) as error:  # negative, or no integer
            raise TokenizerError(
                f"An element of {ids!r:.80} is not a token id of {self._name}: {error}."
            ) from None
        return text

    def token_to_id(self, token: str) -> int | None:
        id_: int | None = self._tokenizer.token_to_id(token)
        return id_

    def id_to_token(self, id_: int) -> str | None:
        token: str | None = self._tokenizer.id_to_token(id_) if id_ >= 0 else None
        return token

    def vocab(self) -> dict[str, int]:
        vocab: dict[str, int] = self._tokenizer.get_vocab(with_added_tokens=True)
        return vocab
