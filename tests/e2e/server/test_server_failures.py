"""Operations that fail: the future says why, and everything else goes on."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.raw_client import (
    MODEL,
    Body,
    Gate,
    Raw,
    batch,
    datum,
    forward_backward,
    model,
    optim_step,
    sample,
    save,
)
from tinker_local import LocalServer
from tinker_local.engine.base import AdapterState, Example, LossResult, SampleResult, SampleSpec
from tinker_local.engine.tiny.engine import TinyEngine
from tinker_local.state.store import Store
from tinker_proto import tinker_pb2 as pb


def failed(answer: Body, text: str) -> None:
    assert answer["type"] == "request_failed"
    assert answer["category"] == "user"
    assert text in answer["error"]
    assert "\n" not in answer["error"]


def test_the_run_goes_on_after_a_users_mistake(raw: Raw) -> None:
    model_id, untroubled = raw.model(), raw.model()
    too_large = batch("text")
    too_large["data"][0]["loss_fn_inputs"]["target_tokens"]["data"][0] = 100_000
    bad = {"model_id": model_id, "seq_id": 2, "forward_backward_input": too_large}

    raw.post("forward_backward", forward_backward(model_id, 1))
    failed(raw.do("forward_backward", bad), "data[0]")
    norm = raw.do("optim_step", optim_step(model_id, 3))["metrics"]

    raw.post("forward_backward", forward_backward(untroubled, 1))
    assert raw.do("optim_step", optim_step(untroubled, 2))["metrics"] == norm


def of(model_id: str, data: list[Body], loss_fn: str = "cross_entropy", **config: object) -> Body:
    losses = {"data": data, "loss_fn": loss_fn, "loss_fn_config": config or None}
    return {"model_id": model_id, "seq_id": 1, "forward_backward_input": losses}


def tensor(name: str, **values: object) -> Body:
    one = datum("text")
    one["loss_fn_inputs"][name] = {"dtype": "int64", **values}
    return one


MISTAKES: dict[str, tuple[Body, str]] = {
    "an image": (
        {
            **datum("a"),
            "model_input": {"chunks": [{"type": "image", "data": "AA==", "format": "png"}]},
        },
        "data[0]: the image is not a PNG file that can be read",
    ),
    "no tokens": ({**datum("a"), "model_input": {"chunks": []}}, "data[0]"),
    "a shape that does not hold": (
        tensor("target_tokens", data=[1, 2, 3], shape=[2, 2]),
        "target_tokens has 3 values, which do not fit its shape [2, 2].",
    ),
    "fractions": (tensor("target_tokens", data=[0.5, 1, 2, 3]), "numbers that are not integers"),
    "half a sparse array": (
        tensor("target_tokens", data=[1], sparse_crow_indices=[0, 1]),
        "needs both index arrays and a shape",
    ),
    "a sparse array of the wrong shape": (
        tensor(
            "target_tokens",
            data=[1],
            sparse_crow_indices=[0, 1],
            sparse_col_indices=[9],
            shape=[1, 2],
        ),
        "do not match its shape",
    ),
    "a sparse array that would be enormous": (
        tensor(
            "target_tokens",
            data=[],
            sparse_crow_indices=[0],
            sparse_col_indices=[],
            shape=[0, 2**62],
        ),
        "target_tokens has the shape [0, 4611686018427387904]; at most 8 sizes",
    ),
    "an index beyond all integers": (
        tensor(
            "target_tokens",
            data=[1],
            sparse_crow_indices=[0, 2**63],
            sparse_col_indices=[0],
            shape=[1, 4],
        ),
        "has an invalid index",
    ),
    "numbers beyond all integers": (
        tensor("target_tokens", data=[1e300] * 4),
        "target_tokens is int64, but has numbers that do not fit into 64 bits.",
    ),
    "an integer too large by one": (
        tensor("target_tokens", data=[2**63, 1, 2, 3]),
        "target_tokens is int64, but has numbers that do not fit into 64 bits.",
    ),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_mistakes_in_a_batch(raw: Raw, case: str) -> None:
    one, text = MISTAKES[case]
    failed(raw.do("forward_backward", of(raw.model(), [one])), text)


def test_mistakes_in_a_loss(raw: Raw) -> None:
    one = datum("text")
    failed(raw.do("forward_backward", of(raw.model(), [one], "ppo")), "logprobs")
    failed(raw.do("forward_backward", of(raw.model(), [one], "custom")), "custom")
    failed(raw.do("forward_backward", of(raw.model(), [one], beta="x")), "allows no keys")
    failed(raw.do("forward_backward", of(raw.model(), [one], "dro", beta="x")), "a finite number")
    failed(raw.do("forward_backward", of(raw.model(), [one], "stable_reinforce")), "no provenance")
    failed(raw.do("forward_backward", of(raw.model(), [one], nonsense=1)), "nonsense")


def test_another_optimizer_is_not_offered(raw: Raw) -> None:
    body = {"model_id": raw.model(), "seq_id": 1, "optimizer_params": {"type": "dimuon"}}
    failed(raw.do("optim_step", body), "'dimuon' is not supported")


def test_a_sample_that_cannot_be_fails_alone(gated: Raw, engine: Gate) -> None:
    session_id = gated.session()
    model_id, sampler_id = gated.model(session_id), gated.sampler(session_id)
    engine.gate.clear()
    gated.post("forward_backward", forward_backward(model_id, 1))  # so that they are one batch
    bodies = [
        sample(sampler_id, 0),
        sample(sampler_id, 2, prompt={"chunks": []}),
        sample(sampler_id, 3, prompt={"chunks": [{"type": "encoded_text", "tokens": [5000]}]}),
        sample(sampler_id, 4),
    ]
    too_long = sample(sampler_id, 1, sampling_params={"max_tokens": 100_000})  # not even queued
    assert "exceeds the model's context window" in gated.post("asample", too_long, 400)["detail"]
    promises = [gated.post("asample", body) for body in bodies]
    engine.gate.set()
    first, empty, no_token, last = (gated.result(promise) for promise in promises)
    failed(empty, "prompt")
    failed(no_token, "prompt")
    assert first["sequences"] == last["sequences"]


def test_a_prompt_that_leaves_no_room_is_refused_with_the_numbers(raw: Raw) -> None:
    body = sample(raw.sampler(raw.session()), 1, "abc", sampling_params={"max_tokens": 2046})
    refused = raw.post("asample", body, 400)["detail"]
    assert refused.endswith("exceeds the model's context window: 3 + 2046 > 2048")
    body["sampling_params"]["max_tokens"] = 2045
    assert raw.post("asample", body)["request_id"]


def test_a_rank_that_is_not_a_power_of_two_is_refused(raw: Raw) -> None:
    session_id = raw.session()
    for rank in (3, 12, 1000):
        refused = raw.post("create_model", model(session_id, rank=rank), 400)["detail"]
        assert refused == f"lora_config: rank is {rank}; it must be a power of two"
    assert raw.post("create_model", model(session_id, rank=1))["model_id"]


def test_positions_of_a_prompt_that_cannot_be_scored_are_reported(raw: Raw) -> None:
    sampler_id = raw.sampler(raw.session())

    def targets(*data: float, dtype: str = "int64", **layout: object) -> Body:
        return {"target_prompt_logprobs": {"data": data, "dtype": dtype, "shape": [2, 1], **layout}}

    sparse: Body = {"sparse_crow_indices": [0, 1, 2], "sparse_col_indices": [0, 0]}
    cases: list[tuple[Body, str]] = [
        (targets(1, 2, dtype="float32"), "is float32; it must be int64"),
        (targets(1, 2.5), "numbers that are not integers"),
        (targets(1, 2, shape=None), "has shape [2]; with a prompt of 3 tokens it must be [2, K]"),
        (
            targets(1, 2, 3, shape=[3, 1]),
            "has shape [3, 1]; with a prompt of 3 tokens it must be [2, K]",
        ),
        (targets(1, 2, 3), "3 values, which do not fit its shape [2, 1]"),
        (targets(-1, -1), "has no token ids"),
        (targets(1, 257), "has 257, which is neither -1 nor in the vocabulary of 257"),
        (targets(1, -2), "has -2"),
        (
            targets(1, 2, **{**sparse, "sparse_col_indices": [0, 1]}),
            "do not match its shape [2, 1]",
        ),
        (targets(1, 2, **{**sparse, "sparse_col_indices": None}), "needs both index arrays"),
        ({"prompt_alt_tokens_k": 10**6}, "with a prompt of 3 tokens it must be at most 524288"),
        ({"prompt_logprobs_last_n": 1}, "needs prompt_logprobs"),
        ({"prompt_logprobs_last_n": 3, "prompt_logprobs": True}, "3 tokens it must be from 1 to 2"),
    ]
    for number, (fields, text) in enumerate(cases):
        failed(raw.do("asample", sample(sampler_id, number, "abc", **fields)), text)


def test_what_is_recorded_belongs_to_a_session(raw: Raw) -> None:
    body = sample("", 0, record_stability_info=True)
    without = {name: body[name] for name in body if name not in ("sampling_session_id", "seq_id")}
    failed(raw.do("asample", {**without, "base_model": MODEL}), "needs a sampling_session_id")


def test_training_on_tokens_that_were_not_sampled(gated: Raw, engine: Gate) -> None:
    session_id = gated.session()
    model_id, sampler_id = gated.model(session_id), gated.sampler(session_id)

    def on(number: int, sequence_id: str) -> Body:
        request = pb.ForwardBackwardRequest(
            model_id=model_id, seq_id=number, loss_fn="stable_reinforce"
        )
        data = request.data.add()
        data.model_input.add().encoded_text.tokens = np.array([97], "<i4").tobytes()
        for name, value in (("target_tokens", 97), ("advantages", 1)):
            data.loss_fn_inputs[name].dense = np.array([value], "<i8").tobytes()
            data.loss_fn_inputs[name].dtype = pb.DTYPE_INT64
        for spans in (data.model_input_spans, data.loss_fn_input_spans):
            spans.add().prompt_tokens.CopyFrom(
                pb.PromptProvenanceSpan(sequence_id=sequence_id, length=1)
            )
        headers = {"Content-Type": "application/x-protobuf"}
        content = request.SerializeToString()
        promise: Body = gated.http.post("forward_backward", content=content, headers=headers).json()
        return promise

    refused = sample(sampler_id, 0, record_stability_info=True, prompt={"chunks": []})
    gated.do("asample", refused)
    failed(gated.result(on(1, f"{sampler_id}:0:0")), "which was not sampled: its request failed")
    engine.gate.clear()
    gated.post("forward_backward", forward_backward(model_id, 2))
    early = on(3, f"{sampler_id}:1:0")
    gated.post("asample", sample(sampler_id, 1, record_stability_info=True))
    engine.gate.set()
    failed(gated.result(early), "which is not sampled yet")


def test_tinkex_gets_failures_in_its_own_form(raw: Raw) -> None:
    promise = raw.post("forward_backward", of(raw.model(), [datum("text")], "ppo"))
    official = raw.result(promise)
    tinkex = raw.result(promise, **{"User-Agent": "AsyncTinkex/Elixir 0.15.0"})
    assert tinkex == {
        "type": "request_failed",
        "status": "failed",
        "error": {"message": official["error"], "category": "user"},
        "category": "user",
    }


# ---- an engine with a fault -----------------------------------------------------------------


class FailsOnce(TinyEngine):
    """Its first forward pass and its first sampling fail for a reason of the engine's own."""

    def __init__(self) -> None:
        super().__init__()
        self.left = {"forward", "sample"}

    def _fail_once(self, what: str) -> None:
        if what in self.left:
            self.left.remove(what)
            raise ZeroDivisionError("what only the log should say")

    def forward(
        self,
        adapter: AdapterState,
        data: Sequence[Example],
        loss_fn: str,
        config: Mapping[str, float],
        *,
        backward: bool,
    ) -> tuple[LossResult, AdapterState]:
        self._fail_once("forward")
        return super().forward(adapter, data, loss_fn, config, backward=backward)

    def sample(
        self, base_model: str, adapter: AdapterState | None, specs: Sequence[SampleSpec]
    ) -> list[SampleResult]:
        self._fail_once("sample")
        return super().sample(base_model, adapter, specs)


def test_an_engines_own_error_is_a_failed_future_and_nothing_more(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with LocalServer(engine=FailsOnce()) as running, Raw(running.url) as raw:
        session_id = raw.session()
        model_id, sampler_id = raw.model(session_id), raw.sampler(session_id)
        assert raw.do("forward_backward", forward_backward(model_id, 1)) == {
            "type": "request_failed",
            "error": "ZeroDivisionError in forward_backward",
            "category": "server",
        }
        assert raw.do("asample", sample(sampler_id, 0))["category"] == "server"
        assert "what only the log should say" in caplog.text
        assert raw.do("forward_backward", forward_backward(model_id, 2))["metrics"]
        assert raw.do("asample", sample(sampler_id, 1))["sequences"]


def test_what_cannot_be_recorded_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As with a full disk: the operation happens when there is room, and nothing overtakes it."""
    engine, refusals = Gate(), 2
    finish = Store.finish

    def full(store: Store, *arguments: Any, **more: Any) -> None:
        nonlocal refusals
        if refusals:
            refusals -= 1
            raise sqlite3.OperationalError("database or disk is full")
        finish(store, *arguments, **more)

    monkeypatch.setattr("tinker_local.protocol.scheduler.RETRY_SECONDS", 0.01)
    with LocalServer(tmp_path, engine=engine) as running, Raw(running.url) as raw:
        model_id, other = raw.model(), raw.model()
        monkeypatch.setattr(Store, "finish", full)
        raw.post("forward_backward", forward_backward(model_id, 1))
        norm = raw.do("optim_step", optim_step(model_id, 2))["metrics"]
        assert not refusals
        raw.post("forward_backward", forward_backward(other, 1))
        assert raw.do("optim_step", optim_step(other, 2))["metrics"] == norm
        refusals = 2
        assert raw.do("save_weights", save(model_id, 3, "after"))["path"]
        assert not refusals
        folders = (tmp_path / "checkpoints").glob("*/weights/after/*")
        assert len(list(folders)) == 1


def test_a_server_that_cannot_start_says_so_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """It left its callers waiting for an address at which nothing listened."""

    def broken(*_: object) -> None:
        raise RuntimeError("no contract")

    monkeypatch.setattr("tinker_local.server.make_app", broken)
    with pytest.raises(RuntimeError, match=r"did not start: RuntimeError\('no contract'\)"):
        LocalServer()


def test_a_result_that_cannot_be_written_fails_its_operation_alone(
    raw: Raw, monkeypatch: pytest.MonkeyPatch
) -> None:
    session_id = raw.session()
    model_id, sampler_id = raw.model(session_id), raw.sampler(session_id)
    use = Store.use

    def failing(self: Store, owner: str, session_id: str, *rest: Any) -> None:
        if "training" in rest or "sampling_sample" in rest:
            raise OverflowError("too large")
        use(self, owner, session_id, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(Store, "use", failing)
        for answer in (
            raw.do("forward_backward", forward_backward(model_id, 1)),
            raw.do("asample", sample(sampler_id, 0)),
        ):
            assert (answer["type"], answer["category"]) == ("request_failed", "server")
            assert "OverflowError" in answer["error"]
    assert raw.do("optim_step", optim_step(model_id, 2))["type"] == "optim_step"
    assert raw.do("asample", sample(sampler_id, 1))["sequences"]
    assert raw.get("healthz") == {"status": "ok"}
