"""retrieve_future: responses come when there is something to report, can be read again, and outlive their readers."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import orjson
import pytest

from tests.support.raw_client import KEY, Gate, Raw, forward_backward, optim_step, sample
from tinker_local import LocalServer
from tinker_local.options import Options

FOREVER = Options(poll_seconds=3600.0, gap_seconds=3600.0)


def test_200_open_polls_are_answered_by_the_results(engine: Gate) -> None:
    count = 200
    with LocalServer(engine=engine, options=FOREVER) as running, Raw(running.url) as raw:
        model_id = raw.model()
        engine.gate.clear()
        first = raw.post("forward_backward", forward_backward(model_id, 1))
        promises = [first] + [
            raw.post("optim_step", optim_step(model_id, number)) for number in range(2, count + 1)
        ]
        sent = 0

        async def open_the_gate_behind_the_last(_: httpx.Request) -> None:
            nonlocal sent
            sent += 1
            if sent == count:
                engine.gate.set()

        async def poll_all() -> list[httpx.Response]:
            async with httpx.AsyncClient(
                headers={"X-API-Key": KEY, "Content-Type": "application/json"},
                timeout=60,
                limits=httpx.Limits(max_connections=None),
                event_hooks={"request": [open_the_gate_behind_the_last]},
            ) as client:
                url = f"{running.url}/api/v1/retrieve_future"
                bodies = [orjson.dumps({"request_id": p["request_id"]}) for p in promises]
                return await asyncio.gather(*(client.post(url, content=body) for body in bodies))

        types = [response.json()["type"] for response in asyncio.run(poll_all())]
        assert types == ["forward_backward"] + ["optim_step"] * (count - 1)


def test_a_poll_without_a_result_ends(engine: Gate) -> None:
    options = Options(poll_seconds=0.01)
    with LocalServer(engine=engine, options=options) as running, Raw(running.url) as raw:
        model_id = raw.model()
        engine.gate.clear()
        promise = raw.post("forward_backward", forward_backward(model_id, 1))
        assert raw.poll(promise).json() == {
            "type": "try_again",
            "request_id": promise["request_id"],
            "queue_state": "active",
        }
        engine.gate.set()


def test_a_reader_that_goes_away_harms_nothing(gated: Raw, engine: Gate) -> None:
    model_id = gated.model()
    engine.gate.clear()
    promise = gated.post("forward_backward", forward_backward(model_id, 1))
    body = orjson.dumps({"request_id": promise["request_id"]})
    for _ in range(3):
        with pytest.raises(httpx.ReadTimeout):
            gated.http.post("retrieve_future", content=body, timeout=0.05)
    engine.gate.set()
    assert gated.result(promise)["type"] == "forward_backward"


def test_a_result_can_be_asked_for_again(raw: Raw) -> None:
    model_id = raw.model()
    promise = raw.post("forward_backward", forward_backward(model_id, 1))
    assert raw.result(promise) == raw.result(promise)


def test_a_result_is_kept_for_some_time_after_it_was_read() -> None:
    options = Options(keep_read_results_seconds=0.0)
    with LocalServer(options=options) as running, Raw(running.url) as raw:
        model_id = raw.model()
        promises = [
            raw.post("optim_step", optim_step(model_id, number)) for number in range(1, 301)
        ]
        # Whether or not it has been swept up by then.
        for promise in promises:
            raw.result(promise)
        for promise in (promises[0], promises[-1]):
            answer = raw.poll(promise)
            assert answer.status_code == 410
            assert "no longer kept" in answer.json()["detail"]


def test_large_results_are_announced_to_those_who_allow_it() -> None:
    with LocalServer(options=Options(metadata_bytes=1000)) as running, Raw(running.url) as raw:
        model_id = raw.model()
        small = raw.post("optim_step", optim_step(model_id, 1))
        large = raw.post("forward_backward", forward_backward(model_id, 2, "long text " * 50))
        result = raw.result(large)

        def asked(promise: dict[str, Any]) -> Any:
            body = {"request_id": promise["request_id"], "allow_metadata_only": True}
            return raw.post("retrieve_future", body)

        assert asked(small) == raw.result(small)
        announced = asked(large)
        assert announced.pop("response_payload_size") > 1000
        assert announced == {"type": "complete_metadata", "status": "complete_metadata"}
        assert raw.result(large) == result


def test_unknown_requests(raw: Raw) -> None:
    assert "nothing" in raw.post("retrieve_future", {"request_id": "nothing"}, 404)["detail"]
    raw.post("cancel_future", {"request_id": "nothing"}, 404)


# ---- cancel_future --------------------------------------------------------------------------


def test_a_waiting_sample_can_be_cancelled(gated: Raw, engine: Gate) -> None:
    session_id = gated.session()
    model_id, sampler_id = gated.model(session_id), gated.sampler(session_id)
    engine.gate.clear()
    gated.post("forward_backward", forward_backward(model_id, 1))  # keeps the engine busy
    kept, cancelled = (gated.post("asample", sample(sampler_id, n)) for n in (0, 1))
    for _ in range(2):
        gated.post("cancel_future", {"request_id": cancelled["request_id"]})
    assert gated.result(cancelled) == {
        "type": "request_failed",
        "error": "The sample was cancelled",
        "category": "user",
    }
    engine.gate.set()
    assert gated.result(kept)["type"] == "sample"


def test_what_is_done_or_not_a_sample_cannot_be_cancelled(gated: Raw, engine: Gate) -> None:
    session_id = gated.session()
    model_id, sampler_id = gated.model(session_id), gated.sampler(session_id)
    done = gated.post("asample", sample(sampler_id, 0))
    result = gated.result(done)
    engine.gate.clear()
    training = gated.post("forward_backward", forward_backward(model_id, 1))
    for promise in (done, training):
        gated.post("cancel_future", {"request_id": promise["request_id"]})
    engine.gate.set()
    assert gated.result(done) == result
    assert gated.result(training)["type"] == "forward_backward"
