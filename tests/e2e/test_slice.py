"""The vertical slice: session, training client, text, forward_backward, optim_step, sampler weights."""

from __future__ import annotations

import asyncio

import pytest

import tinker
from tests.support.present import present
from tinker import types


def test_the_slice_prints_what_it_should(
    service: tinker.ServiceClient, training: tinker.TrainingClient
) -> None:
    prompt = tinker.ModelInput.from_text("Fine-tuning sample prompt", training_client=training)
    datum = tinker.Datum(model_input=prompt)

    fb = training.forward_backward([datum], "cross_entropy")
    optim = training.optim_step(tinker.AdamParams())
    save = training.save_weights_for_sampler("demo")

    # Awaited in another order than they were made in.
    assert save.result(timeout=60).path == f"tinker://{training.model_id}/sampler_weights/demo"
    metrics = optim.result(timeout=60).metrics
    assert metrics is not None
    assert metrics["unclipped_grad_l2:mean"] > 0
    output = fb.result(timeout=60)
    assert output.metrics["loss:sum"] > 0
    assert len(output.loss_fn_outputs) == 1
    logprobs = output.loss_fn_outputs[0]["logprobs"].to_numpy()
    assert logprobs.shape == (prompt.length,)
    # The last position has weight zero: it does not count.
    assert output.metrics["loss:sum"] == pytest.approx(-logprobs[:-1].sum(), rel=1e-5)
    seq_ids = [n for future in (fb, optim, save) for n in present(future.progress).seq_ids]
    assert seq_ids == [1, 2, 3]

    sampler = service.create_sampling_client(model_path=save.result().path).result(timeout=60)
    response = sampler.sample(
        prompt, num_samples=2, sampling_params=types.SamplingParams(max_tokens=4, seed=1)
    ).result(timeout=60)
    assert [len(sequence.tokens) for sequence in response.sequences] == [4, 4]
    assert sampler.get_base_model() == "tinker-local/tiny"


def test_the_slice_in_an_event_loop(server: str) -> None:
    async def scenario() -> float:
        with tinker.ServiceClient(base_url=server) as service:
            training = await service.create_lora_training_client("tinker-local/tiny", rank=2)
            prompt = tinker.ModelInput.from_text("abc", training_client=training)
            output = await training.forward_backward([tinker.Datum(prompt)], "cross_entropy")
            await training.optim_step()
            return output.metrics["loss:sum"]

    assert asyncio.run(scenario()) > 0


def test_training_lowers_the_loss_and_sampling_reproduces_the_text(
    training: tinker.TrainingClient,
) -> None:
    text = tinker.ModelInput.from_text("hello hello hello hello hello", training_client=training)
    losses = []
    for _ in range(60):
        fb = training.forward_backward([tinker.Datum(text)], "cross_entropy")
        training.optim_step(tinker.AdamParams(learning_rate=5e-3))
        losses.append(fb.result(timeout=60).metrics["loss:sum"])
    assert losses[-1] < losses[0] / 10

    sampler = training.save_weights_and_get_sampling_client().result(timeout=60)
    prompt = tinker.ModelInput.from_text("hello hel", training_client=training)
    response = sampler.sample(
        prompt, 1, tinker.SamplingParams(max_tokens=8, temperature=0.0)
    ).result(timeout=60)
    assert training.get_tokenizer().decode(response.sequences[0].tokens) == "lo hello"


def test_a_timeout_says_what_is_waited_for(training: tinker.TrainingClient) -> None:
    data = [tinker.Datum(tinker.ModelInput.from_ints(list(range(200)))) for _ in range(64)]
    future = training.forward_backward(data, "cross_entropy")
    with pytest.raises(TimeoutError, match=r"forward_backward \(model_id=.*since it was submitted"):
        future.result(timeout=0)
    # It goes on, and the result is there to be had.
    assert len(future.result(timeout=60).loss_fn_outputs) == 64
