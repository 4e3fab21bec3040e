"""Large batches travel in chunks, and come back as if they had not."""

from __future__ import annotations

import numpy as np
import pytest

import tinker
from tests.support.present import present


def batch(count: int, length: int = 6) -> list[tinker.Datum]:
    rng = np.random.default_rng(count)
    return [
        tinker.Datum(tinker.ModelInput.from_ints(rng.integers(0, 256, length).tolist()))
        for _ in range(count)
    ]


def test_1000_datums_in_8_chunks_equal_the_same_unsplit(training: tinker.TrainingClient) -> None:
    data = batch(1000)
    whole = training.forward(data, "cross_entropy")
    result = whole.result(timeout=60)
    assert present(whole.progress).seq_ids == list(range(1, 9))

    parts = [training.forward(data[i : i + 1], "cross_entropy") for i in (0, 127, 128, 999)]
    for index, part in zip((0, 127, 128, 999), parts, strict=True):
        alone = part.result(timeout=60).loss_fn_outputs[0]["logprobs"].to_numpy()
        together = result.loss_fn_outputs[index]["logprobs"].to_numpy()
        np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-5)

    total = sum(
        -float(output["logprobs"].to_numpy()[:-1].sum()) for output in result.loss_fn_outputs
    )
    assert result.metrics["loss:sum"] == pytest.approx(total, rel=1e-5)


def test_gradients_of_chunks_add_up_to_those_of_the_whole(service: tinker.ServiceClient) -> None:
    data = batch(200)
    norms = []
    for sizes in ((200,), (1, 99, 100)):
        training = service.create_lora_training_client("tinker-local/tiny", rank=4, seed=7).result(
            timeout=60
        )
        start = 0
        for size in sizes:
            training.forward_backward(data[start : start + size], "cross_entropy")
            start += size
        metrics = training.optim_step().result(timeout=60).metrics
        assert metrics is not None
        norms.append(metrics["unclipped_grad_l2:mean"])
    assert norms[0] == pytest.approx(norms[1], rel=1e-4)


def test_chunks_seq_ids_are_consecutive_over_calls(training: tinker.TrainingClient) -> None:
    calls = [
        training.forward_backward(batch(300), "cross_entropy"),
        training.optim_step(),
        training.forward_backward(batch(129), "cross_entropy"),
        training.save_state("here"),
    ]
    for call in reversed(calls):
        call.result(timeout=60)
    assert [present(call.progress).seq_ids for call in calls] == [[1, 2, 3], [4], [5, 6], [7]]
