"""What is kept in memory has a bound, and what falls out of it comes back as it was."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.support.raw_client import (
    TRAINING,
    Raw,
    datum,
    forward_backward,
    optim_step,
    sample,
    save,
)
from tests.support.server_process import ServerProcess

MORE_THAN_FIT = 18


def test_more_models_than_fit_into_memory(raw: Raw) -> None:
    session_id = raw.session()
    models = [raw.model(session_id, number) for number in range(MORE_THAN_FIT)]
    steps = [
        [
            raw.do(route, body(model_id, 2 * step + offset))
            for model_id in models
            for offset, (route, body) in enumerate(TRAINING, 1)
        ]
        for step in range(2)
    ]
    for results in steps:
        assert results == results[:2] * MORE_THAN_FIT
    assert steps[0] != steps[1]


def test_more_samplers_than_fit_into_memory(raw: Raw) -> None:
    session_id = raw.session()
    model_id = raw.model(session_id)
    samplers = []
    for number in range(MORE_THAN_FIT):
        if number:  # a little further each time
            raw.post("forward_backward", forward_backward(model_id, 3 * number - 1))
            raw.post("optim_step", optim_step(model_id, 3 * number))
        body = {"model_id": model_id, "seq_id": 3 * number + 1, "sampling_session_seq_id": number}
        samplers.append(raw.do("save_weights_for_sampler", body)["sampling_session_id"])

    def sampled(seq_id: int) -> list[object]:
        promises = [raw.post("asample", sample(sampler_id, seq_id)) for sampler_id in samplers]
        return [raw.result(promise)["sequences"] for promise in promises]

    first = sampled(0)
    assert sampled(1) == first
    assert first[0] != first[-1]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_what_waits_is_not_kept_in_memory(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "data") as server, Raw(server.url) as raw:
        model_id = raw.model()
        size, count = 2_000_000, 50
        data = [datum("x" * (size // 8))]
        raw.post("save_weights", save(model_id, 2, "a"))

        def resident() -> int:
            status = Path(f"/proc/{server.process.pid}/status").read_text()
            (line,) = [line for line in status.splitlines() if line.startswith("VmRSS")]
            return int(line.split()[1]) * 1024

        def submit(seq_id: int) -> None:
            body = {"data": data, "loss_fn": "cross_entropy", "loss_fn_config": {"beta": seq_id}}
            request = {"model_id": model_id, "seq_id": seq_id, "forward_backward_input": body}
            raw.post("forward_backward", request)

        for seq_id in range(3, 8):
            submit(seq_id)  # the first ones make room for decoding
        before = resident()
        for seq_id in range(8, 8 + count):
            submit(seq_id)  # seq_id 1 does not arrive, so all of them wait
        assert resident() - before < size * count / 2
