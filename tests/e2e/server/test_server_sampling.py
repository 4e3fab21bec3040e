"""Samples: what is scored of a prompt, and what one request has to do with another."""

from __future__ import annotations

import numpy as np
import pytest
from raw_client import Gate, Raw, forward_backward, sample

from tinker_proto import tinker_pb2 as pb


@pytest.fixture
def sampler_id(raw: Raw) -> str:
    return raw.sampler(raw.session())


@pytest.mark.parametrize("last_n", [1, 2, 3])
def test_only_the_last_places_of_a_prompt_are_scored(
    raw: Raw, sampler_id: str, last_n: int
) -> None:
    whole = raw.do("asample", sample(sampler_id, 0, "abcd", prompt_logprobs=True))
    members = {"prompt_logprobs": True, "prompt_logprobs_last_n": last_n}
    promise = raw.post("asample", sample(sampler_id, 1, "abcd", **members))
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
