"""Rows of `tinker sample --prompts`."""

from __future__ import annotations

from typing import Any

import pytest

from tinker.cli.commands.sample import _tokens
from tinker.recipes.errors import DataError
from tinker.tokenizers import get_tokenizer


@pytest.mark.parametrize("tokens", [5, [], [1, -1], ["a"], [True], {"a": 1}, None])
def test_tokens_that_are_not_token_ids_are_rejected(tokens: Any) -> None:
    tokenizer = get_tokenizer("tinker-local/bytes")
    with pytest.raises(DataError, match="`tokens` must be a non-empty list of token ids"):
        _tokens(tokenizer, {"tokens": tokens}, chat=False)
    assert _tokens(tokenizer, {"tokens": [1, 2]}, chat=False) == [1, 2]
