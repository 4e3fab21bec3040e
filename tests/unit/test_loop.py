"""Operations on the library's event loop, and what may happen at the same moment in another thread."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
from typing import Any, cast

import pytest

from tinker._http.config import Settings
from tinker._protocol import loop, polling, session
from tinker._protocol.connection import Connection
from tinker._protocol.progress import Progress
from tinker._protocol.session import Session
from tinker.errors import TinkerError


def hold_loop(reached: threading.Event, go_on: threading.Event) -> None:
    """Keep the loop's thread busy until `go_on` is set."""

    def hold() -> None:
        reached.set()
        go_on.wait(10)

    loop.get().call_soon_threadsafe(hold)
    assert reached.wait(10)


def test_an_operation_that_has_failed_before_it_could_begin_does_not_run() -> None:
    began, reached, go_on = threading.Event(), threading.Event(), threading.Event()

    async def operation() -> None:
        began.set()

    hold_loop(reached, go_on)
    owner = object()
    future = loop.submit(operation(), owner=owner)
    for one in loop.operations(
        owner
    ):  # as closing a client does; the loop waits, so it is not in the way
        one.fail(TinkerError("the client was closed"))
    go_on.set()
    with pytest.raises(TinkerError, match="closed"):
        future.result(10)
    loop.submit(asyncio.sleep(0)).result(10)
    assert not began.is_set()
    assert not loop.operations(owner)


def test_an_operation_that_later_ones_depend_on_runs_though_its_future_is_cancelled() -> None:
    began = threading.Event()

    async def operation() -> None:
        began.set()

    reached, go_on = threading.Event(), threading.Event()
    hold_loop(reached, go_on)
    assert loop.submit(operation()).cancel()
    go_on.set()
    assert began.wait(10)


def open_all(sessions: list[Session]) -> None:
    for one in sessions:
        one.check_open()


def test_sessions_are_listed_while_other_threads_open_some() -> None:
    settings = Settings(base_url="http://127.0.0.1:9", api_key="tml-x")
    own = [Session(settings) for _ in range(3000)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        thread = threading.Thread(target=open_all, args=(own,))
        thread.start()
        while thread.is_alive():
            session.open_sessions()
    finally:
        sys.setswitchinterval(interval)
    listed = [one for one in session.open_sessions() if one.settings is settings]
    assert set(listed) == set(own)
    own.clear()
    listed.clear()
    gc.collect()
    assert not [one for one in session.open_sessions() if one.settings is settings]


class TwoPolls:
    """A connection that responds to a first and a second poll when the test says so."""

    def __init__(self) -> None:
        self.responses: list[asyncio.Future[Any]] = []
        self.both = asyncio.Event()

    async def call(self, *args: object, **options: object) -> Any:
        self.responses.append(asyncio.Future())
        if len(self.responses) == 2:
            self.both.set()
        return await self.responses[-1]


def test_two_polls_may_have_their_responses_at_the_same_moment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(polling, "SILENCE", 0.0)
    problems: list[dict[str, Any]] = []

    class Ok:
        status_code = 200

    async def scenario() -> None:
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: problems.append(context)
        )
        connection = TwoPolls()
        poll: polling._Poll[None] = polling._Poll(
            cast("Connection", connection),
            cast("Any", None),
            "r",
            False,
            lambda _: None,
            Progress("x"),
        )
        outcome = asyncio.create_task(poll.outcome())
        await connection.both.wait()
        first, second = connection.responses
        second.set_result(Ok())
        first.set_result(Ok())
        assert await outcome is poll
        await asyncio.sleep(0)

    asyncio.run(scenario())
    assert problems == []
