"""Several clients at once, checkpoints, and what comes back from them."""

from __future__ import annotations

import tinker


def datum(text: str) -> tinker.Datum:
    return tinker.Datum(tinker.ModelInput.from_ints(list(text.encode())))


def train(training: tinker.TrainingClient, text: str, steps: int) -> list[float]:
    losses = []
    for _ in range(steps):
        fb = training.forward_backward([datum(text)], "cross_entropy")
        training.optim_step(tinker.AdamParams(learning_rate=5e-3))
        losses.append(fb)
    return [fb.result(timeout=60).metrics["loss:sum"] for fb in losses]


def test_two_interleaved_training_clients_do_not_mix(service: tinker.ServiceClient) -> None:
    one, two = (
        service.create_lora_training_client("tinker-local/tiny", rank=4, seed=7).result(timeout=60)
        for _ in range(2)
    )
    mixed: dict[str, list[tinker.APIFuture[tinker.ForwardBackwardOutput]]] = {"one": [], "two": []}
    for _ in range(5):
        for name, client, text in (("one", one, "first text"), ("two", two, "second text")):
            mixed[name].append(client.forward_backward([datum(text)], "cross_entropy"))
            client.optim_step(tinker.AdamParams(learning_rate=5e-3))
    losses = {
        name: [future.result(timeout=60).metrics["loss:sum"] for future in futures]
        for name, futures in mixed.items()
    }
    for name, text in (("one", "first text"), ("two", "second text")):
        alone = service.create_lora_training_client("tinker-local/tiny", rank=4, seed=7).result(
            timeout=60
        )
        assert losses[name] == train(alone, text, 5)


def test_64_concurrent_samples_are_each_their_own(service: tinker.ServiceClient) -> None:
    sampler = service.create_sampling_client(base_model="tinker-local/tiny").result(timeout=60)
    prompts = [tinker.ModelInput.from_ints([n, n + 1, n + 2]) for n in range(64)]
    params = tinker.SamplingParams(max_tokens=8, seed=5)

    together = [sampler.sample(prompt, 1, params) for prompt in prompts]
    tokens = [future.result(timeout=60).sequences[0].tokens for future in together]
    for index in (0, 31, 63):
        alone = sampler.sample(prompts[index], 1, params).result(timeout=60)
        assert alone.sequences[0].tokens == tokens[index]


def test_resuming_from_a_checkpoint_gives_bit_equal_losses(service: tinker.ServiceClient) -> None:
    training = service.create_lora_training_client("tinker-local/tiny", rank=4, seed=7).result(
        timeout=60
    )
    train(training, "some text", 3)
    path = training.save_state("three").result(timeout=60).path
    went_on = train(training, "some text", 3)

    resumed = service.create_training_client_from_state_with_optimizer(path).result(timeout=60)
    assert train(resumed, "some text", 3) == went_on

    afresh = service.create_training_client_from_state(path).result(timeout=60)
    first, *later = train(afresh, "some text", 3)
    assert first == went_on[0]
    assert later != went_on[1:]


def test_compute_logprobs_equals_forward(
    service: tinker.ServiceClient, training: tinker.TrainingClient
) -> None:
    prompt = tinker.ModelInput.from_ints(list(b"the same numbers"))
    train(training, "the same numbers", 2)
    forward = training.forward([tinker.Datum(prompt)], "cross_entropy").result(timeout=60)
    sampler = training.save_weights_and_get_sampling_client().result(timeout=60)
    first, *logprobs = sampler.compute_logprobs(prompt).result(timeout=60)
    expected = forward.loss_fn_outputs[0]["logprobs"].to_numpy()[:-1]
    assert first is None
    assert max(abs(a - b) for a, b in zip(logprobs, expected, strict=True)) < 1e-4
