"""Streams of tokens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any
from unittest.mock import MagicMock

import pytest

from tinker._protocol.progress import Progress
from tinker._sampling import streaming


def test_a_stream_that_is_closed_has_let_go_of_the_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    let_go = []

    async def pieces(*_: object) -> AsyncGenerator[list[Any], None]:
        try:
            yield []
        finally:
            let_go.append(True)

    held = pieces()  # so that it is not ended only because nobody has it any more
    monkeypatch.setattr(streaming, "_stream", lambda *_: held)

    async def read_a_piece() -> None:
        unused: Any = MagicMock()
        stream = streaming.stream(unused, unused, unused, unused, Progress("sample"))
        await anext(stream)
        await stream.aclose()
        assert let_go == [True]

    asyncio.run(read_a_piece())
