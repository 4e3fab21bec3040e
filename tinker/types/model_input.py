"""`ModelInput`: the input of a model."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any, Protocol, Self

import attrs
import numpy as np

from tinker.types._arrays import token_array
from tinker.types.encoded_text_chunk import EncodedTextChunk, Tokens
from tinker.types.model_input_chunk import ModelInputChunk, to_chunk
from tinker_api.model import Model


class _HasTokenizer(Protocol):
    def get_tokenizer(self) -> Any: ...


def _to_chunks(chunks: Iterable[ModelInputChunk]) -> list[ModelInputChunk]:
    return [to_chunk(chunk) for chunk in chunks]


@attrs.frozen(kw_only=True)
class ModelInput(Model):
    """A sequence of chunks: text as token ids, images, audio.

    Two inputs are equal if their chunks are. Methods that add something return a new ModelInput.
    """

    chunks: list[ModelInputChunk] = attrs.field(converter=_to_chunks)

    @classmethod
    def from_ints(cls, tokens: Tokens) -> Self:
        """One chunk of text from token ids: a list or an array of integers, shape [n].

        Raises:
            TypeError: `tokens` is not a sequence of numbers.
            ValueError: A token is not an integer from -2**31 to 2**31 - 1.
        """
        made = cls.__new__(cls)
        # The chunk needs no conversion, and batches have thousands of inputs.
        object.__setattr__(made, "chunks", [EncodedTextChunk(tokens=tokens)])
        return made

    @classmethod
    def from_text(
        cls,
        text: str,
        *,
        training_client: _HasTokenizer | None = None,
        sampling_client: _HasTokenizer | None = None,
        model_name: str | None = None,
        tokenizer: Any = None,
    ) -> Self:
        """Tokenize `text` as it is: no chat template, no special tokens added.

        The tokenizer is `tokenizer` (anything with `encode`), else that of the client, else that of the
        base model `model_name`.

        Raises:
            ValueError: None of these is given.
        """
        if not isinstance(text, str):
            raise TypeError(f"text is of type {type(text).__name__}; it must be a string.")
        if tokenizer is None:
            tokenizer = _find_tokenizer(training_client or sampling_client, model_name)
        return cls.from_ints(_encode(tokenizer, text))

    @classmethod
    def empty(cls) -> Self:
        """No chunks."""
        return cls(chunks=[])

    def append(self, chunk: ModelInputChunk) -> Self:
        """This input followed by `chunk`."""
        return attrs.evolve(self, chunks=[*self.chunks, chunk])

    def append_int(self, token: int) -> Self:
        """This input followed by one token, in the last chunk if that is text, else in a new one."""
        added = token_array([token], "token")
        if not (self.chunks and isinstance(last := self.chunks[-1], EncodedTextChunk)):
            return self.append(EncodedTextChunk(tokens=added))
        longer = EncodedTextChunk(tokens=np.concatenate([last.tokens_np, added]))
        return attrs.evolve(self, chunks=[*self.chunks[:-1], longer])

    def to_ints(self) -> list[int]:
        """All token ids, in a list of its own.

        Raises:
            ValueError: A chunk is not text.
        """
        tokens: list[int] = []
        for position, chunk in enumerate(self.chunks):
            if not isinstance(chunk, EncodedTextChunk):
                raise ValueError(
                    f"to_ints needs text only; chunks[{position}] is of type {type(chunk).__name__}."
                )
            tokens += chunk.tokens
        return tokens

    @property
    def length(self) -> int:
        """Number of tokens of all chunks.

        Raises:
            ValueError: An image has no `expected_tokens`; the message says which chunk.
        """
        total = 0
        for position, chunk in enumerate(self.chunks):
            try:
                total += chunk.length
            except ValueError as error:
                raise ValueError(f"chunks[{position}]: {error}") from None
        return total


def _find_tokenizer(client: _HasTokenizer | None, model_name: str | None) -> Any:
    if client is not None:
        return client.get_tokenizer()
    if model_name is not None:
        from tinker.tokenizers import get_tokenizer  # noqa: PLC0415  # loads tokenizer libraries

        return get_tokenizer(model_name)
    raise ValueError(
        "from_text needs a tokenizer: give training_client=, sampling_client=, model_name= or tokenizer=."
    )


def _encode(tokenizer: Any, text: str) -> Any:
    # Tokenizers of Hugging Face add special tokens unless told not to; others do not have the option.
    options = {"add_special_tokens": False} if _knows_special_tokens(tokenizer.encode) else {}
    encoded = tokenizer.encode(text, **options)
    return getattr(encoded, "ids", encoded)


def _knows_special_tokens(encode: Any) -> bool:
    try:
        parameters = inspect.signature(encode).parameters.values()
    except (TypeError, ValueError):  # compiled functions have no signature
        return False
    return any(p.name == "add_special_tokens" or p.kind is p.VAR_KEYWORD for p in parameters)
