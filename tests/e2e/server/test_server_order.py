"""Operations take effect in the order of their numbers, once each, however they arrive."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from tests.support.raw_client import (
    Gate,
    Raw,
    Submission,
    forward_backward,
    model,
    optim_step,
    sample,
    save,
)
from tinker_local import LocalServer
from tinker_local.options import Options
from tinker_proto import tinker_pb2 as pb

PROGRAM: list[tuple[str, Submission]] = [
    ("forward_backward", lambda m, n: forward_backward(m, n, "first")),
    ("optim_step", optim_step),
    ("forward_backward", lambda m, n: forward_backward(m, n, "second", "third")),
    ("save_weights", lambda m, n: save(m, n, "middle")),
    ("optim_step", optim_step),
    ("forward_backward", lambda m, n: forward_backward(m, n, "fourth")),
]


def run(raw: Raw, order: list[int]) -> list[dict[str, Any]]:
    """Submit the program in this order; its results in the program's."""
    model_id = raw.model()
    promises: dict[int, Any] = {}
    for index in order:
        route, body = PROGRAM[index]
        promises[index] = raw.post(route, body(model_id, index + 1))
    results = [raw.result(promises[index]) for index in range(len(PROGRAM))]
    assert results[3].pop("path") == f"tinker://{model_id}/weights/middle"
    return results


@settings(max_examples=12)
@given(order=st.permutations(range(len(PROGRAM))))
def test_results_do_not_depend_on_the_order_of_arrival(server: str, order: list[int]) -> None:
    with Raw(server) as raw:
        assert run(raw, order) == run(raw, sorted(order))


# ---- repetitions ----------------------------------------------------------------------------


def test_a_repeated_request_gets_the_same_promise_and_is_done_once(
    gated: Raw, engine: Gate
) -> None:
    model_id = gated.model()
    engine.gate.clear()
    body = forward_backward(model_id, 1)
    promise = gated.post("forward_backward", body)
    assert engine.reached.wait(60)
    assert gated.post("forward_backward", body) == promise  # while it runs
    step = gated.post("optim_step", optim_step(model_id, 2))
    assert gated.post("optim_step", optim_step(model_id, 2)) == step  # while it waits
    engine.gate.set()
    gated.result(step)
    assert gated.post("forward_backward", body) == promise  # when it is done
    assert gated.post("optim_step", optim_step(model_id, 2)) == step
    gated.do("optim_step", optim_step(model_id, 3))
    assert (engine.passes, engine.steps) == (1, 2)


def test_a_repetition_is_known_after_a_restart(tmp_path: Path) -> None:
    with LocalServer(tmp_path) as running, Raw(running.url) as raw:
        session_id = raw.session()
        model_id = raw.model(session_id)
        sampler_id = raw.sampler(session_id)
        promises = [
            raw.post("forward_backward", forward_backward(model_id, 1)),
            raw.post("asample", sample(sampler_id, 0)),
        ]
        results = [raw.result(promise) for promise in promises]
    engine = Gate()
    with LocalServer(tmp_path, engine=engine) as running, Raw(running.url) as raw:
        assert raw.model(session_id) == model_id
        assert raw.sampler(session_id) == sampler_id
        assert promises == [
            raw.post("forward_backward", forward_backward(model_id, 1)),
            raw.post("asample", sample(sampler_id, 0)),
        ]
        assert results == [raw.result(promise) for promise in promises]
        assert engine.passes == 0


def test_a_repetition_may_be_written_differently(raw: Raw) -> None:
    model_id = raw.model()
    promise = raw.post("save_weights", save(model_id, 1, "a", ttl_seconds=None))
    again = {"path": "a", "seq_id": 1, "model_id": model_id}
    assert raw.post("save_weights", again) == promise


def test_a_repetition_in_protobuf_may_have_its_maps_in_another_order(raw: Raw) -> None:
    model_id = raw.model()

    def encoded(names: list[str]) -> bytes:
        # Protobuf itself writes a map in an order of its own in each process.
        datum = b"".join(
            pb.Datum(loss_fn_inputs={name: pb.Tensor(dense=name.encode())}).SerializeToString()
            for name in names
        )
        assert len(datum) < 128, "its length takes one byte"
        request = pb.ForwardBackwardRequest(model_id=model_id, seq_id=1, loss_fn="ppo")
        return request.SerializeToString() + b"\x1a" + bytes([len(datum)]) + datum

    names = ["target_tokens", "weights", "logprobs", "advantages", "more"]
    headers = {"Content-Type": "application/x-protobuf"}
    contents = {encoded(names), encoded(names[::-1])}
    assert len(contents) == 2
    promises = [raw.http.post("forward_backward", content=c, headers=headers) for c in contents]
    assert {promise.text for promise in promises} == {promises[0].text}
    assert promises[0].status_code == 200


def test_another_request_under_a_used_number_is_a_conflict(raw: Raw) -> None:
    model_id = raw.model()
    raw.do("forward_backward", forward_backward(model_id, 1))
    other = forward_backward(model_id, 1, "another text")
    assert "was used by a different request" in raw.post("forward_backward", other, 409)["detail"]


def test_another_operation_with_the_same_body_is_a_conflict(raw: Raw) -> None:
    body = {"model_id": raw.model(), "seq_id": 1}
    raw.do("optim_step", body)
    assert "was used by a different request" in raw.post("save_weights", body, 409)["detail"]


def test_an_ephemeral_save_is_known_by_its_seq_id_alone(raw: Raw) -> None:
    model_id = raw.model()
    body = {"model_id": model_id, "seq_id": 1}
    promise = raw.post("save_weights_for_sampler", {**body, "sampling_session_seq_id": 0})
    again = raw.post("save_weights_for_sampler", {**body, "sampling_session_seq_id": 1})
    assert again == promise
    session_id = model_id.partition(":")[0]
    assert raw.result(promise)["sampling_session_id"] == f"{session_id}:sample:0"


def test_models_are_known_by_their_number(raw: Raw) -> None:
    session_id = raw.session()
    promise = raw.create(session_id)
    assert raw.create(session_id) == promise
    raw.result(promise)
    assert raw.create(session_id) == promise
    raw.post("create_model", model(session_id, 0, rank=8), 409)


def test_samplers_are_known_by_their_number(raw: Raw) -> None:
    session_id = raw.session()
    model_id = raw.model(session_id)
    path = raw.do("save_weights_for_sampler", save(model_id, 1, "s"))["path"]
    assert raw.sampler(session_id) == raw.sampler(session_id)
    other = {"session_id": session_id, "sampling_session_seq_id": 0, "model_path": path}
    raw.post("create_sampling_session", other, 409)


def test_a_number_is_not_shared_by_a_sampler_and_an_ephemeral_one(raw: Raw) -> None:
    session_id = raw.session()
    model_id = raw.model(session_id)
    raw.sampler(session_id, 0)
    body = {"model_id": model_id, "seq_id": 1, "sampling_session_seq_id": 0}
    failure = raw.do("save_weights_for_sampler", body)
    assert failure["error"] == "sampling_session_seq_id 0 is used by another sampler."

    body = {"model_id": model_id, "seq_id": 2, "sampling_session_seq_id": 1}
    raw.do("save_weights_for_sampler", body)
    from_base = {"session_id": session_id, "sampling_session_seq_id": 1}
    raw.post("create_sampling_session", {**from_base, "base_model": "tinker-local/tiny"}, 409)


def test_samples_are_known_by_their_number(raw: Raw) -> None:
    sampler_id = raw.sampler(raw.session())
    body = sample(sampler_id, 0, sampling_params={"max_tokens": 8})  # without a seed
    promise = raw.post("asample", body)
    assert promise["sample_sequence_ids"] == [f"{sampler_id}:0:0"]
    result = raw.result(promise)
    assert raw.post("asample", body) == promise
    assert raw.result(promise) == result
    raw.post("asample", sample(sampler_id, 0, "another prompt"), 409)


# ---- gaps -----------------------------------------------------------------------------------


def test_a_missing_number_is_waited_for_and_named() -> None:
    options = Options(poll_seconds=0.0, gap_seconds=3600.0)
    with LocalServer(options=options) as running, Raw(running.url) as raw:
        model_id = raw.model()
        first = raw.post("forward_backward", forward_backward(model_id, 1))
        third = raw.post("optim_step", optim_step(model_id, 3))
        raw.result(first)
        pending = raw.poll(third).json()
        assert pending == {
            "type": "try_again",
            "request_id": third["request_id"],
            "queue_state": "active",
            "queue_state_reason": f"Waiting for seq_id 2 of {model_id}, which has not arrived",
        }
        raw.post("forward_backward", forward_backward(model_id, 2))
        assert raw.result(third)["type"] == "optim_step"


def test_what_runs_is_not_said_to_wait(engine: Gate) -> None:
    options = Options(poll_seconds=0.0)
    with LocalServer(engine=engine, options=options) as running, Raw(running.url) as raw:
        model_id = raw.model()
        engine.gate.clear()
        first = raw.post("forward_backward", forward_backward(model_id, 1))
        assert engine.reached.wait(60)
        raw.post("optim_step", optim_step(model_id, 3))
        assert "queue_state_reason" not in raw.poll(first).json()
        engine.gate.set()


def test_a_number_that_never_comes_is_passed_over() -> None:
    with LocalServer(options=Options(gap_seconds=0.05)) as running, Raw(running.url) as raw:
        model_id = raw.model()
        later = raw.post("forward_backward", forward_backward(model_id, 3))
        assert raw.result(later)["type"] == "forward_backward"
        for seq_id in (1, 2):
            late = raw.post("forward_backward", forward_backward(model_id, seq_id), 400)
            assert "skipped" in late["detail"]
        assert raw.post("forward_backward", forward_backward(model_id, 3)) == later


def test_without_a_number_an_operation_is_the_last(raw: Raw) -> None:
    model_id = raw.model()
    for expected in (1, 2):
        body = forward_backward(model_id, None)
        assert raw.post("forward_backward", body)["request_id"] == f"{model_id}:{expected}"


@pytest.mark.parametrize("seq_id", [0, -1, 1.5, 2**31, "1", True])
def test_numbers_that_cannot_be(raw: Raw, seq_id: object) -> None:
    body = {"model_id": raw.model(), "seq_id": seq_id}
    (issue,) = raw.post("optim_step", body, 422)["detail"]
    assert issue["loc"] == ["body", "seq_id"]
