"""What goes wrong with tokenizers."""

from __future__ import annotations

from tinker.errors import TinkerError


class TokenizerError(TinkerError, ValueError):
    """A tokenizer that cannot be found, read or used as asked. The message says what to do."""
