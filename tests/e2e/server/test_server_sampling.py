"""Samples: what is scored of a prompt, and how requests affect each other."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from attrs import evolve

from tests.support.raw_client import MODEL, Gate, Raw, forward_backward, optim_step, sample, save
from tinker._codec import json as json_codec, media_types, protobuf
from tinker_local import LocalServer
from tinker_local.engine.base import AdapterState, SampleResult, SampleSpec
from tinker_local.engine.tiny.engine import TinyEngine
from tinker_proto import tinker_pb2 as pb


@pytest.fixture
def sampler_id(raw: Raw) -> str:
    return raw.sampler(raw.session())


@pytest.mark.parametrize("last_n", [1, 2, 3])
def test_only_the_last_places_of_a_prompt_are_scored(
    raw: Raw, sampler_id: str, last_n: int
) -> None:
    whole = raw.do("asample", sample(sampler_id, 0, "abcd", prompt_logprobs=True))
    fields = {"prompt_logprobs": True, "prompt_logprobs_last_n": last_n}
    promise = raw.post("asample", sample(sampler_id, 1, "abcd", **fields))
    part = raw.result(promise)
    assert whole["prompt_logprobs"][0] is None
    assert part["prompt_logprobs"] == [None] * (4 - last_n) + whole["prompt_logprobs"][-last_n:]
    assert part["sequences"] == whole["sequences"]

    message = pb.SampleResponse.FromString(
        raw.poll(promise, Accept="application/x-protobuf").content
    )
    scored = np.isfinite(np.frombuffer(message.prompt_logprobs, "<f4"))
    assert scored.tolist() == [False] * (4 - last_n) + [True] * last_n


def test_a_result_is_the_same_alone_and_in_a_batch(gated: Raw, engine: Gate) -> None:
    session_id = gated.session()
    model_id, sampler_id = gated.model(session_id), gated.sampler(session_id)
    asked = [
        sample(sampler_id, number, "ab" * (number + 1), num_samples=2, prompt_logprobs=True)
        for number in range(6)
    ]
    asked[2]["prompt_logprobs_last_n"] = 1
    alone = [gated.do("asample", {**body, "seq_id": 100 + body["seq_id"]}) for body in asked]
    engine.gate.clear()
    gated.post("forward_backward", forward_backward(model_id, 1))  # so that they are one batch
    promises = [gated.post("asample", body) for body in asked]
    engine.gate.set()
    assert [gated.result(promise) for promise in promises] == alone
    assert [len(promise["sample_sequence_ids"]) for promise in promises] == [2] * 6


OPTIONS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "stop text": {"sampling_params": {"max_tokens": 30, "seed": 5, "stop": "e"}},
    "stop texts": {"sampling_params": {"max_tokens": 30, "seed": 5, "stop": ["zz", "e"]}},
    "stop tokens": {"sampling_params": {"max_tokens": 30, "seed": 5, "stop": [101, 32]}},
    "no stop": {"sampling_params": {"max_tokens": 30, "seed": 5, "stop": []}},
    "greedy": {"sampling_params": {"max_tokens": 4, "temperature": 0}},
    "filters": {"sampling_params": {"max_tokens": 9, "seed": 5, "top_k": 9, "top_p": 0.5}},
    "top-k of samples": {"topk_sample_logprobs": 3},
    "top-k of the prompt": {"topk_prompt_logprobs": 3},
    "prompt": {"prompt_logprobs": True},
    "end of the prompt": {
        "prompt_logprobs": True,
        "topk_prompt_logprobs": 2,
        "prompt_logprobs_last_n": 2,
    },
    "targets": {
        "target_prompt_logprobs": {"data": [1, -1, 2, 3, 4, 4], "dtype": "int64", "shape": [3, 2]}
    },
    "sparse targets": {
        "target_prompt_logprobs": {
            "data": [1, -1, 2],
            "dtype": "int64",
            "shape": [3, 1000],
            "sparse_crow_indices": [0, 2, 2, 3],
            "sparse_col_indices": [0, 7, 999],
        }
    },
    "alternatives": {"prompt_alt_tokens_k": 3},
    "recorded": {"record_stability_info": True},
}
OPTIONS["everything"] = {
    name: value
    for options in OPTIONS.values()
    for name, value in options.items()
    if name != "sampling_params"
}


@pytest.mark.parametrize("option", OPTIONS)
def test_both_encodings_of_a_result_say_the_same(raw: Raw, sampler_id: str, option: str) -> None:
    promise = raw.post("asample", sample(sampler_id, 0, "abcd", num_samples=3, **OPTIONS[option]))
    names = promise["sample_sequence_ids"]
    answers = [
        raw.poll(promise, Accept=kind).content for kind in (media_types.PROTOBUF, media_types.JSON)
    ]
    in_protobuf = protobuf.decode_sample_response(answers[0], names, 4)
    in_json = json_codec.sample_response(answers[1], 4, names)
    assert in_protobuf == in_json
    assert len(in_json.sequences) == 3
    asked = OPTIONS[option]
    assert (in_json.prompt_logprobs is not None) == ("prompt_logprobs" in asked)
    assert (in_json.topk_prompt_logprobs is not None) == ("topk_prompt_logprobs" in asked)
    assert (in_json.target_prompt_logprobs is not None) == ("target_prompt_logprobs" in asked)
    assert (in_json.prompt_alt_tokens is not None) == ("prompt_alt_tokens_k" in asked)
    for sequence in in_json.sequences:
        assert (sequence.topk_logprobs is not None) == ("topk_sample_logprobs" in asked)


# ---- which model ------------------------------------------------------------------------------


class Variants(TinyEngine):
    """The tiny engine, which also offers its model under the name of a longer context, and another model."""

    LONG, OTHER = f"{MODEL}:peft:8192", "tinker-local/other"

    def __init__(self) -> None:
        super().__init__()
        spec = self._models[MODEL]
        for name in (self.LONG, self.OTHER):
            self._models[name] = evolve(spec, name=name)
        self.sampled: list[str] = []

    def sample(
        self, base_model: str, adapter: AdapterState | None, specs: Sequence[SampleSpec]
    ) -> list[SampleResult]:
        self.sampled.append(base_model)
        return super().sample(base_model, adapter, specs)


def test_a_checkpoint_at_the_context_length_of_another_base_model() -> None:
    engine = Variants()
    with LocalServer(engine=engine) as server, Raw(server.url) as raw:
        session_id = raw.session()
        model_id = raw.model(session_id)
        raw.do("forward_backward", forward_backward(model_id, 1, "abcd" * 8))
        raw.do("optim_step", optim_step(model_id, 2))
        path = raw.do("save_weights_for_sampler", save(model_id, 3, "s"))["path"]
        tokens = {}
        for number, base_model in enumerate((None, MODEL, engine.LONG)):
            body = {
                "session_id": session_id,
                "sampling_session_seq_id": number,
                "base_model": base_model,
                "model_path": path,
            }
            sampler_id = raw.post("create_sampling_session", body)["sampling_session_id"]
            assert raw.post("create_sampling_session", body)["sampling_session_id"] == sampler_id
            assert raw.get(f"samplers/{sampler_id}") == {
                "sampler_id": sampler_id,
                "base_model": base_model or MODEL,
                "model_path": path,
                "tokenizer_id": "tinker-local/bytes",
            }
            result = raw.do("asample", sample(sampler_id, 0))
            tokens[base_model] = result["sequences"][0]["tokens"]
            alone = {**sample(sampler_id, 0), "base_model": base_model, "model_path": path}
            del alone["sampling_session_id"], alone["seq_id"]
            assert raw.do("asample", alone)["sequences"] == result["sequences"]
        assert engine.sampled == [MODEL] * 4 + [engine.LONG] * 2
        assert tokens[None] == tokens[MODEL] == tokens[engine.LONG]  # the same weights

        def refused(status: int, **source: str | None) -> str:
            body = {"session_id": session_id, "sampling_session_seq_id": 9, **source}
            return str(raw.post("create_sampling_session", body, status)["detail"])

        wrong = refused(400, base_model=engine.OTHER, model_path=path)
        assert wrong == f"{path} belongs to {MODEL}, not to {engine.OTHER}"
        unknown = refused(400, base_model=f"{MODEL}:peft:1", model_path=path)
        assert "Unknown base_model" in unknown
        assert "belongs to" in refused(400, base_model=f"{engine.LONG}:sampling-x", model_path=path)
        assert refused(400) == "Give base_model, model_path or both"
        other = {"base_model": engine.LONG, "model_path": None, "sampling_session_seq_id": 2}
        raw.post("create_sampling_session", {"session_id": session_id, **other}, 409)


def test_a_sample_without_a_seq_id_may_have_an_id_of_digits(
    raw: Raw, monkeypatch: pytest.MonkeyPatch
) -> None:
    sampler_id = raw.sampler(raw.session())
    body = {name: value for name, value in sample(sampler_id, 0).items() if name != "seq_id"}
    drawn = raw.do("asample", body)["sequences"]
    monkeypatch.setattr(uuid, "uuid4", lambda: uuid.UUID("1234567890" * 3 + "12"))
    assert raw.do("asample", body)["sequences"] == drawn
