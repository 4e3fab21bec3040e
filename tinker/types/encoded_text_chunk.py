"""`EncodedTextChunk`: text as token ids."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Literal, TypeAlias

import attrs

from tinker.types._arrays import Array, Int32Array, brief, token_array
from tinker_api.model import Model, tag

Tokens: TypeAlias = Sequence[int] | Array
"""Token ids as users pass them: a list, a tuple, an array of integers, shape [n]."""


def _to_array(tokens: Tokens) -> Int32Array:
    return token_array(tokens)


def _show(tokens: Int32Array) -> str:
    return brief(tokens) + (f" ({len(tokens)})" if len(tokens) > 6 else "")


@attrs.frozen(kw_only=True, repr=False)
class EncodedTextChunk(Model):
    """A run of token ids.

    The ids are checked and copied when the chunk is made, so that it stays the same whatever happens
    to the list it was made from.

    Raises:
        TypeError: `tokens` is not a sequence of numbers.
        ValueError: A token is not an integer from -2**31 to 2**31 - 1.
    """

    # Equality and hash by the content that is sent.
    tokens_np: Int32Array = attrs.field(
        alias="tokens", converter=_to_array, eq=lambda a: a.tobytes()
    )
    """The ids as a read-only int32 array, shape [n]."""
    type: Literal["encoded_text"] = tag("encoded_text")

    @cached_property
    def tokens(self) -> list[int]:
        """The ids as a list, made on first use. Changing it does not change the chunk."""
        ids: list[int] = self.tokens_np.tolist()
        return ids

    @property
    def length(self) -> int:
        """Number of tokens."""
        return len(self.tokens_np)

    def __repr__(self) -> str:
        return f"EncodedTextChunk(tokens={_show(self.tokens_np)}, type={self.type!r})"
