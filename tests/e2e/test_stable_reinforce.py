"""`stable_reinforce`: training on samples that were recorded when they were drawn, and the error when they were not."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from attrs import evolve

import tinker
from tests.support.server_clock import Clock
from tests.support.server_process import ServerProcess
from tinker import types
from tinker_local import LocalServer
from tinker_local.options import Options

MODEL = "tinker-local/tiny"
PROMPT = tinker.ModelInput.from_ints(list(b"some prompt"))
PARAMS = tinker.SamplingParams(max_tokens=6, seed=7, stop=[])


def spans(datum: tinker.Datum, sequence_id: str) -> tinker.Datum:
    """The datum of a prompt and its sample, with word of it."""
    prompt, sampled = PROMPT.length, datum.model_input.length + 1 - PROMPT.length
    return datum.with_provenance(
        [
            tinker.PromptProvenanceSpan(sequence_id=sequence_id, length=prompt),
            tinker.SampledProvenanceSpan(sequence_id=sequence_id, length=sampled - 1),
        ],
        [
            tinker.PromptProvenanceSpan(sequence_id=sequence_id, offset=1, length=prompt - 1),
            tinker.SampledProvenanceSpan(sequence_id=sequence_id, length=sampled),
        ],
    )


def datum(sequence: types.SampledSequence, advantage: float = 1.0) -> tinker.Datum:
    """As RL loops build it: what repeats the prompt has a target of 0, and no advantage."""
    before, count = [0] * (PROMPT.length - 1), len(sequence.tokens)
    return spans(
        tinker.Datum(
            PROMPT.append(tinker.EncodedTextChunk(tokens=sequence.tokens[:-1])),
            {
                "target_tokens": np.array(before + sequence.tokens),
                "logprobs": np.array(before + (sequence.logprobs or []), np.float32),
                "advantages": np.array(before + [advantage] * count, np.float32),
            },
        ),
        sequence.sequence_id,
    )


def sampler_of(training: tinker.TrainingClient, *, record: bool = True) -> tinker.SamplingClient:
    future = training.save_weights_and_get_sampling_client(record_stability_info=record)
    return future.result(timeout=60)


def sampled(training: tinker.TrainingClient, **params: Any) -> list[types.SampledSequence]:
    future = sampler_of(training).sample(PROMPT, 2, evolve(PARAMS, **params))
    return list(future.result(timeout=60).sequences)


def train(training: tinker.TrainingClient, data: list[tinker.Datum], **config: Any) -> Any:
    return training.forward_backward(data, "stable_reinforce", config or None).result(timeout=60)


NewRun = Callable[..., tinker.TrainingClient]


@pytest.fixture
def new_run() -> Iterator[NewRun]:
    """`new_run(url, key="tml-x")`: a run in a session of its own."""
    with contextlib.ExitStack() as sessions:

        def new(url: str, key: str = "tml-x") -> tinker.TrainingClient:
            service = tinker.ServiceClient(base_url=url, api_key=key)
            sessions.enter_context(service)
            return service.create_lora_training_client(MODEL, rank=4, seed=7).result(timeout=60)

        yield new


def test_on_policy_it_is_reinforce(
    training: tinker.TrainingClient, server: str, new_run: NewRun
) -> None:
    """Where the model is still the one that sampled, the ratio is 1 and the divergence 0."""
    other = new_run(server)
    data = [datum(sequence, 0.5 - i) for i, sequence in enumerate(sampled(training))]
    result = train(training, data)
    assert result.loss_fn_output_type == "StableReinforceLossReturn"
    assert result.metrics["kl:mean"] == pytest.approx(0, abs=1e-6)
    for example, output in zip(data, result.loss_fn_outputs, strict=True):
        expected = -example.loss_fn_inputs["advantages"].to_numpy() * output["logprobs"].to_numpy()
        np.testing.assert_allclose(output["elementwise_loss"].to_numpy(), expected, atol=1e-4)
    other.forward_backward(data, "importance_sampling").result(timeout=60)
    norms = [
        client.optim_step().result(timeout=60).metrics["unclipped_grad_l2:mean"]  # type: ignore[index]
        for client in (training, other)
    ]
    assert norms[0] == pytest.approx(norms[1], rel=1e-3)


@pytest.mark.parametrize("estimator", ["k1", "k2", "k3"])
def test_off_policy_it_goes_by_how_the_tokens_were_drawn(
    training: tinker.TrainingClient, estimator: str
) -> None:
    """At half the temperature likelier tokens were drawn than `logprobs` say; the formula is the documented one."""
    params = {"temperature": 0.5, "top_k": 1}  # so that each was drawn for certain
    (sequence, _) = sampled(training, **params)
    result = train(training, [datum(sequence, -2.0)], kl_estimator=estimator, kl_coeff=0.3)
    (output,) = result.loss_fn_outputs
    where = PROMPT.length - 1
    logp = output["logprobs"].to_numpy()[where:].astype(np.float64)
    kl = {"k1": -logp, "k2": logp**2 / 2, "k3": np.exp(logp) - 1 - logp}[estimator]
    loss = output["elementwise_loss"].to_numpy()
    np.testing.assert_allclose(loss[where:], 2 * np.exp(logp) * logp + 0.3 * kl, rtol=1e-4)
    assert (loss[:where] == 0).all()
    assert result.metrics["kl:mean"] == pytest.approx(kl.mean(), rel=1e-4)
    again = training.forward([datum(sequence, -2.0)], "stable_reinforce").result(timeout=60)
    assert again.metrics["kl:mean"] == pytest.approx((np.exp(logp) - 1 - logp).mean(), rel=1e-4)


def test_a_datum_of_two_turns(training: tinker.TrainingClient) -> None:
    """Each turn's tokens are those of a sample of its own; the second prompt has the first turn in it."""
    sampler = sampler_of(training)
    (first,) = sampler.sample(PROMPT, 1, PARAMS).result(timeout=60).sequences
    said = PROMPT.append(tinker.EncodedTextChunk(tokens=first.tokens)).append_int(33)
    (second,) = sampler.sample(said, 1, PARAMS).result(timeout=60).sequences
    tokens = [*said.to_ints(), *second.tokens]
    count, turn = len(tokens), PARAMS.max_tokens or 0

    def named(
        begin: int, end: int
    ) -> list[tinker.PromptProvenanceSpan | tinker.SampledProvenanceSpan]:
        length = count - begin - end
        assert length > 0
        return [
            tinker.PromptProvenanceSpan(
                sequence_id=first.sequence_id, offset=begin, length=PROMPT.length - begin
            ),
            tinker.SampledProvenanceSpan(sequence_id=first.sequence_id, length=turn),
            tinker.PromptProvenanceSpan(
                sequence_id=second.sequence_id, offset=said.length - 1, length=1
            ),
            tinker.SampledProvenanceSpan(sequence_id=second.sequence_id, length=turn - end),
        ]

    whole = tinker.Datum(
        tinker.ModelInput.from_ints(tokens[:-1]),
        {
            "target_tokens": np.array(tokens[1:]),
            "advantages": np.ones(count - 1, np.float32),
        },
    ).with_provenance(named(0, 1), named(1, 0))
    (output,) = train(training, [whole]).loss_fn_outputs
    trained = output["elementwise_loss"].to_numpy() != 0
    at = PROMPT.length - 1
    expected = [False] * at + [True] * turn + [False] + [True] * turn
    assert trained.tolist() == expected


# ---- mistakes ---------------------------------------------------------------------------------


def with_inputs(datum: tinker.Datum, **inputs: Any) -> tinker.Datum:
    return evolve(datum, loss_fn_inputs={**datum.loss_fn_inputs, **inputs})


def other_token(datum: tinker.Datum) -> tinker.Datum:
    target = datum.loss_fn_inputs["target_tokens"].to_numpy().copy()
    target[-1] = (target[-1] + 1) % 256
    return with_inputs(datum, target_tokens=tinker.TensorData(target))


def other_input(datum: tinker.Datum) -> tinker.Datum:
    tokens = datum.model_input.to_ints()
    return evolve(datum, model_input=tinker.ModelInput.from_ints([tokens[0] ^ 1, *tokens[1:]]))


def moved(datum: tinker.Datum) -> tinker.Datum:
    (first, *rest) = datum.model_input_spans or []
    return evolve(datum, model_input_spans=[evolve(first, offset=4), *rest])


MISTAKES: dict[str, tuple[Callable[[tinker.Datum], tinker.Datum], str]] = {
    "nothing of the name": (
        lambda d: spans(d, "nothing:0"),
        r"data\[0\]\.model_input_spans\[0\] names 'nothing:0', which is not the id of a sample",
    ),
    "no such sequence": (
        lambda d: spans(d, (d.model_input_spans or [])[0].sequence_id[:-1] + "9"),
        r"names '.*:9', which is not the id of a sample",
    ),
    "other targets": (
        other_token,
        r"data\[0\]\.loss_fn_input_spans\[1\] names .*, whose sampled tokens have \d+ at 5; the datum has \d+ there",
    ),
    "another prompt": (
        other_input,
        r"data\[0\]\.model_input_spans\[0\] names .*, whose prompt tokens have 115 at 0; the datum has 114 there",
    ),
    "beyond the end": (
        moved,
        r"model_input_spans\[0\] has offset 4 and length 11; .* has 11 prompt tokens",
    ),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_spans_that_are_not_true_are_named(training: tinker.TrainingClient, case: str) -> None:
    change, text = MISTAKES[case]
    (sequence, _) = sampled(training)
    with pytest.raises(tinker.RequestFailedError, match=text) as failed:
        train(training, [change(datum(sequence))])
    assert failed.value.category == "user"
    train(training, [datum(sequence)])  # the run goes on


def test_samples_that_were_not_recorded(training: tinker.TrainingClient) -> None:
    plain = sampler_of(training, record=False).sample(PROMPT, 1, PARAMS).result(timeout=60)
    with pytest.raises(tinker.TinkerError, match="was sampled without record_stability_info"):
        train(training, [datum(plain.sequences[0])])


def test_samples_of_another_session(
    training: tinker.TrainingClient, server: str, new_run: NewRun
) -> None:
    (sequence, _) = sampled(new_run(server))
    with pytest.raises(tinker.TinkerError, match="which was sampled in another session"):
        train(training, [datum(sequence)])


def test_samples_of_another_user_are_not_even_there(tmp_path: Path, new_run: NewRun) -> None:
    keys = tmp_path / "keys"
    keys.write_text("tml-anna anna\ntml-bert bert\n")
    with LocalServer(keys=keys) as server:
        anna, bert = (new_run(server.url, f"tml-{name}") for name in ("anna", "bert"))
        (sequence, _) = sampled(anna)
        with pytest.raises(tinker.TinkerError, match="which is not the id of a sample"):
            train(bert, [datum(sequence)])


def test_two_targets_a_position(training: tinker.TrainingClient) -> None:
    (sequence, _) = sampled(training)
    one = datum(sequence)
    twice = {
        name: tinker.TensorData(np.stack([tensor.to_numpy()] * 2, axis=1))
        for name, tensor in one.loss_fn_inputs.items()
    }
    with pytest.raises(
        tinker.TinkerError, match="target_tokens is of shape .*needs one for each position"
    ):
        train(training, [with_inputs(one, **twice)])


def test_an_invalid_setting(training: tinker.TrainingClient) -> None:
    (sequence, _) = sampled(training)
    with pytest.raises(
        tinker.TinkerError, match="'kl_estimator' must be one of k3, k2, k1, not 'k4'"
    ):
        train(training, [datum(sequence)], kl_estimator="k4")


# ---- how long it is kept ----------------------------------------------------------------------


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def timed(clock: Clock, new_run: NewRun) -> Iterator[tinker.TrainingClient]:
    with LocalServer(options=Options(clock=clock, sweep_seconds=0.01)) as server:
        yield new_run(server.url)


def test_it_is_kept_for_a_day_from_its_last_use(timed: tinker.TrainingClient, clock: Clock) -> None:
    used, unused = (datum(sampled(timed)[0]) for _ in range(2))
    for _ in range(3):
        clock.forward(86400 * 0.9)
        train(timed, [used])
    text = "no longer kept: it was sampled or trained on more than 86400 s ago"
    with pytest.raises(tinker.TinkerError, match=text):
        train(timed, [unused])
    clock.forward(86401)
    with pytest.raises(tinker.TinkerError, match=text):
        train(timed, [used])


def test_it_outlives_a_server_that_is_killed(tmp_path: Path, new_run: NewRun) -> None:
    data_folder = tmp_path / "data"
    with ServerProcess(data_folder) as first:
        training = new_run(first.url)
        data = [datum(sequence) for sequence in sampled(training)]
        expected = training.forward(data, "stable_reinforce").result(timeout=60).metrics
        first.kill()
        with ServerProcess(data_folder, port=first.port):
            again = training.forward(data, "stable_reinforce").result(timeout=60).metrics
    assert again == expected
