"""`progress=True`: a line on a terminal that says how far something is, and nothing anywhere else."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, wait
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import tinker
from tests.support.sampling_server import SamplingServer
from tests.support.scripted_server import ScriptedServer
from tinker._protocol import progress_line
from tinker._protocol.progress_line import ProgressLine, duration, of_bytes

STEP = {"type": "optim_step", "metrics": {"x:sum": 1.0}}
PAUSED = {"type": "try_again", "queue_state": "paused_capacity", "queue_state_reason": "no room"}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True

    def lines(self) -> list[str]:
        """What was to be read, one text after the other."""
        shown = [text.removesuffix("\x1b[K") for text in self.getvalue().split("\r")]
        return [text for text in shown if text]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal of 120 columns, shown everything."""
    found = Terminal()
    monkeypatch.setattr(progress_line, "sys", SimpleNamespace(stderr=found))  # pytest's is its own
    monkeypatch.setattr(progress_line, "INTERVAL", 0.0)
    monkeypatch.setenv("COLUMNS", "120")
    return found


@contextmanager
def holding() -> Iterator[SamplingServer]:
    """A server that finishes samples when it is told, and the rest at the end, for which its clients wait."""
    with SamplingServer(per_tick=0) as server:
        try:
            yield server
        finally:
            server.finish(100)


def ask(client: tinker.SamplingClient, count: int) -> list[tinker.APIFuture[Any]]:
    params = tinker.SamplingParams(max_tokens=1)
    return [client.sample(tinker.ModelInput.from_ints([n]), 1, params) for n in range(count)]


def in_async_code(
    futures: list[tinker.APIFuture[Any]], timeout: float | None = None, *, progress: bool = False
) -> list[Any]:
    return asyncio.run(tinker.results_async(futures, timeout, progress=progress))


BOTH = pytest.mark.parametrize("results", [tinker.results, in_async_code])
"""`tinker.results` and its form for async code."""


@BOTH
def test_a_batch_of_samples_says_how_many_are_done(terminal: Terminal, results: Any) -> None:
    with holding() as server:
        futures = ask(server.sampler(), 3)
        server.wait_until(lambda: len(server.unfinished) == 3)
        server.finish(1)
        wait([one.future() for one in futures], 10, FIRST_COMPLETED)
        # The first text is written before the last two are done: they end when it has been.
        monitor = terminal.write

        def write(text: str) -> int:
            if "1 of 3 done" in text:
                server.finish(2)
            return monitor(text)

        terminal.write = write  # type: ignore[method-assign]
        found = results(futures, timeout=10, progress=True)
    assert [list(one.sequences[0].tokens) for one in found] == [[0], [1], [2]]
    first, *_ = terminal.lines()
    assert first.startswith("1 of 3 done, ")
    assert " left, gives up in " in first
    assert terminal.getvalue().endswith("\r\x1b[K")  # the line is empty again


@pytest.mark.usefixtures("short_pauses")
def test_waiting_in_a_queue_says_why_and_how_long_still(
    terminal: Terminal, server: ScriptedServer, training: tinker.TrainingClient
) -> None:
    shown = terminal.write

    def write(text: str) -> int:
        if "no room" in text:
            server.script(retrieve_future=[(200, STEP)])
        return shown(text)

    terminal.write = write  # type: ignore[method-assign]
    server.script(retrieve_future=[(200, PAUSED)])
    future = training.optim_step(tinker.AdamParams())
    assert future.result(timeout=10, progress=True).metrics == {"x:sum": 1.0}
    queued = [text for text in terminal.lines() if "no room" in text]
    assert queued[0].startswith("optim_step, 0 s: paused_capacity, no room, gives up in ")


@BOTH
def test_a_failure_is_not_waited_past(terminal: Terminal, results: Any) -> None:
    with holding() as server:
        futures = ask(server.sampler(), 2)
        server.wait_until(lambda: len(server.unfinished) == 2)
        server.fail(next(name for name, tokens in server.unfinished.items() if tokens == [0]))
        with pytest.raises(tinker.RequestFailedError, match="out of luck"):
            results(futures, timeout=10, progress=True)


@BOTH
@pytest.mark.parametrize("progress", [False, True])
def test_what_is_not_done_in_time_goes_on(progress: bool, terminal: Terminal, results: Any) -> None:
    with holding() as server:
        futures = ask(server.sampler(), 2)
        with pytest.raises(TimeoutError, match=r"Not done after 0\.05 s: asample .*It goes on"):
            futures[0].result(timeout=0.05, progress=progress)
        with pytest.raises(TimeoutError, match=r"Not done after 0\.05 s: asample .*It goes on"):
            results(futures, timeout=0.05, progress=progress)
        server.wait_until(lambda: len(server.unfinished) == 2)
        server.finish(2)
        assert len(results(futures, timeout=10)) == 2
        assert len(results(futures, timeout=0)) == 2  # they are there


def test_async_code_goes_on_meanwhile_and_a_cancelled_wait_leaves_the_operations() -> None:
    async def main(futures: list[tinker.APIFuture[Any]]) -> list[Any]:
        waiting = asyncio.create_task(tinker.results_async(futures, progress=True))
        await asyncio.sleep(0)  # this runs while it waits
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        server.finish(2)
        return await tinker.results_async(futures, 10)

    with holding() as server:
        futures = ask(server.sampler(), 2)
        server.wait_until(lambda: len(server.unfinished) == 2)
        found = asyncio.run(main(futures))
    assert [list(one.sequences[0].tokens) for one in found] == [[0], [1]]


@pytest.mark.parametrize(
    "wait_for", [lambda f: f, lambda f: f.result_async(10), lambda f: tinker.results_async([f])]
)
def test_a_cancelled_sample_is_cancelled_in_async_code(wait_for: Any) -> None:
    async def main(future: tinker.APIFuture[Any]) -> None:
        with pytest.raises(asyncio.CancelledError):
            await wait_for(future)

    with holding() as server:
        (future,) = ask(server.sampler(), 1)
        server.wait_until(lambda: len(server.unfinished) == 1)
        assert future.future().cancel()
        asyncio.run(main(future))


@BOTH
def test_no_futures_have_no_results(results: Any) -> None:
    assert results([], progress=True) == []


def test_where_there_is_no_terminal_nothing_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    with SamplingServer() as server:
        futures = ask(server.sampler(), 3)
        assert len(tinker.results(futures, timeout=10, progress=True)) == 3
        assert futures[0].result(progress=True).sequences[0].tokens == [0]
    with of_bytes(True, "x") as tell:
        assert tell is not None
        tell(1, 2)
    assert capsys.readouterr() == ("", "")


def test_no_stderr_is_not_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress_line, "sys", SimpleNamespace(stderr=None))  # as under pythonw
    line = ProgressLine()
    line.show(lambda: "never")
    line.close()


def test_bytes_are_shown_with_the_time_left(terminal: Terminal) -> None:
    with of_bytes(True, "tinker://run/weights/a") as tell:
        assert tell is not None
        tell(1_500_000, 3_000_000)
        tell(2_000_000, None)
    first, second = terminal.lines()
    assert first == "tinker://run/weights/a: 1.5 of 3.0 MB, 0 s left"
    assert second == "tinker://run/weights/a: 2.0 MB"


def test_a_text_that_does_not_fit_is_cut(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    with of_bytes(True, "tinker://a-long-name") as tell:
        assert tell is not None
        tell(1, 2)
    assert terminal.lines() == ["tinker://a-long-na…"]


def test_a_function_is_called_as_it_is(tmp_path: Path) -> None:
    told: list[tuple[int, int | None]] = []
    with of_bytes(lambda done, total: told.append((done, total)), "x") as tell:
        assert tell is not None
        tell(1, None)
    assert told == [(1, None)]
    with pytest.raises(TypeError, match="must be True, or a function"), of_bytes(1, "x"):  # type: ignore[arg-type]
        pass


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0 s"), (89, "89 s"), (150, "2 min"), (9000, "2.5 h")])  # fmt: skip
def test_durations_are_short(seconds: float, text: str) -> None:
    assert duration(seconds) == text
