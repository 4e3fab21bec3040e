"""Samples that nobody waits for any more are not computed to their end."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from attrs import define, field

from tests.support.raw_client import Raw, sample
from tests.support.server_clock import Clock
from tinker_local import LocalServer
from tinker_local.engine.base import SampleResult, SampleSpec
from tinker_local.engine.tiny.engine import TinyEngine
from tinker_local.options import Options


@define
class Watched(TinyEngine):
    """Says when it samples, and for how many requests that ended as they were cancelled."""

    def __attrs_pre_init__(self) -> None:
        TinyEngine.__init__(self)

    drawing: threading.Event = field(factory=threading.Event)
    go_on: threading.Event = field(factory=threading.Event)
    lengths: list[int] = field(factory=list)

    def sample(
        self, base_model: str, adapter: Any, specs: Sequence[SampleSpec]
    ) -> list[SampleResult]:
        self.drawing.set()
        assert self.go_on.wait(30)
        results = super().sample(base_model, adapter, specs)
        self.lengths += [len(result.sequences[0].tokens) for result in results]
        return results


@pytest.fixture
def engine() -> Watched:
    return Watched()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def raw(engine: Watched, clock: Clock) -> Iterator[Raw]:
    options = Options(clock=clock, sweep_seconds=0.05, abandoned_seconds=0.2, poll_seconds=0.1)
    with LocalServer(engine=engine, options=options) as running, Raw(running.url) as client:
        yield client
        engine.go_on.set()


def sampler(raw: Raw) -> str:
    body = {"session_id": raw.session(), "sampling_session_seq_id": 0}
    made = raw.post("create_sampling_session", {**body, "base_model": "tinker-local/tiny"})
    return str(made["sampling_session_id"])


def long(sampler_id: str, seq_id: int) -> dict[str, Any]:
    body = sample(sampler_id, seq_id)
    return {**body, "sampling_params": {"max_tokens": 1000, "stop": [], "seed": 1}}


def failed(raw: Raw, promise: Any) -> str:
    answer = raw.result(promise)
    assert answer["type"] == "request_failed"
    return str(answer["error"])


def test_a_running_sample_is_cancelled(raw: Raw, engine: Watched) -> None:
    promise = raw.post("asample", long(sampler(raw), 0))
    assert engine.drawing.wait(30)
    raw.post("cancel_future", {"request_id": promise["request_id"]})
    engine.go_on.set()
    assert failed(raw, promise) == "The sample was cancelled"
    assert engine.lengths == [1]


def test_others_in_its_batch_go_on(raw: Raw, engine: Watched) -> None:
    sampler_id = sampler(raw)
    first = raw.post("asample", long(sampler_id, 0))
    assert engine.drawing.wait(30)
    engine.drawing.clear()
    second, third = (raw.post("asample", long(sampler_id, n)) for n in (1, 2))
    engine.go_on.set()
    raw.result(first)
    assert engine.drawing.wait(30)
    raw.post("cancel_future", {"request_id": second["request_id"]})
    assert len(raw.result(third)["sequences"][0]["tokens"]) == 1000
    raw.result(second)  # it was drawn, or was not


def test_a_stream_whose_reader_has_gone_is_not_drawn_to_its_end(raw: Raw, engine: Watched) -> None:
    sampler_id = sampler(raw)
    body = long(sampler_id, 0)
    with raw.http.stream("POST", "stream_sample", json=body) as stream:
        assert stream.status_code == 200
        assert engine.drawing.wait(30)
    promise = {"request_id": f"{sampler_id}:0"}
    waiting = raw.post("asample", long(sampler_id, 1))  # behind it
    while True:
        # The server notices the end of the connection at its own time, before the engine goes on.
        if raw.get("healthz") and raw.http.post("cancel_future", json=promise).status_code == 200:
            break
    engine.go_on.set()
    assert failed(raw, promise) == "The sample was cancelled"
    assert len(raw.result(waiting)["sequences"][0]["tokens"]) == 1000
    assert engine.lengths == [1, 1000]


@pytest.mark.parametrize("how", ["finished", "silent"])
def test_samples_of_a_client_that_has_gone_are_cancelled(
    raw: Raw, engine: Watched, clock: Clock, how: str
) -> None:
    sampler_id = sampler(raw)
    session_id = sampler_id.partition(":")[0]
    first = raw.post("asample", long(sampler_id, 0))
    assert engine.drawing.wait(30)
    second = raw.post("asample", long(sampler_id, 1))
    if how == "finished":
        raw.post(f"sessions/{session_id}/finish", {"reason": {"type": "success"}})
    else:
        clock.forward(301)
    threading.Event().wait(1)  # nobody asks
    answer = raw.poll(second).json()
    assert answer["error"] == "Its session has ended, and nobody has polled for it"
    engine.go_on.set()
    assert raw.result(first)["type"] == "sample"


def test_samples_that_are_asked_for_outlive_their_session(raw: Raw, engine: Watched) -> None:
    sampler_id = sampler(raw)
    first = raw.post("asample", long(sampler_id, 0))
    assert engine.drawing.wait(30)
    second = raw.post("asample", long(sampler_id, 1))
    session_id = sampler_id.partition(":")[0]
    raw.post(f"sessions/{session_id}/finish", {"reason": {"type": "success"}})
    for _ in range(8):
        assert raw.poll(second).json()["type"] == "try_again"
    engine.go_on.set()
    assert raw.result(second)["type"] == "sample"
    assert raw.result(first)["type"] == "sample"
