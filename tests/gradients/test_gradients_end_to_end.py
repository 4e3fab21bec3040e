"""Gradients of all kinds of losses, from the call to the weights: those of torch.autograd.

A step with a huge `eps` moves each weight by a known multiple of its gradient, so that the checkpoints before and after
tell the gradient of every factor of the adapter. torch differentiates the same network, from what is in the first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from attrs import frozen
from safetensors.numpy import load_file

import tinker
from tests.support.tiny_in_torch import loss_of, network
from tinker import regularizers
from tinker.regularizers import Regularizer

torch = pytest.importorskip("torch")

RANK = 4
EPS = 1e6
random = np.random.default_rng(4)
LENGTHS = (6, 11, 9)
TOKENS = [random.integers(0, 256, length) for length in LENGTHS]
TARGETS = [random.integers(0, 256, length) for length in LENGTHS]
WIDE = [random.integers(0, 256, (length, 3)) for length in LENGTHS]


def arrays(*shapes: Any, low: float = -1.0, high: float = 1.0) -> list[np.ndarray]:
    return [random.uniform(low, high, shape).astype(np.float32) for shape in shapes]


INPUTS = {
    "weights": arrays(*LENGTHS),
    "logprobs": arrays(*LENGTHS, low=-6.0, high=-5.0),
    "advantages": arrays(*LENGTHS),
    "sequence_ratio_mask": [(np.arange(n) > 1).astype(np.float32) for n in LENGTHS],
    "clip_low_threshold": arrays(*LENGTHS, low=0.5, high=0.9),
    "clip_high_threshold": arrays(*LENGTHS, low=1.1, high=1.5),
    "mine": arrays(*LENGTHS),
}
WIDE_WEIGHTS = arrays(*(array.shape for array in WIDE))
POLICY = ("logprobs", "advantages")
THRESHOLDS = ("clip_low_threshold", "clip_high_threshold")
Data = list[tinker.Datum]


def batch(*names: str, targets: list[np.ndarray] = TARGETS, **more: list[np.ndarray]) -> Data:
    given = {"target_tokens": targets, **{name: INPUTS[name] for name in names}, **more}
    return [
        tinker.Datum(
            model_input=tinker.ModelInput.from_ints(tokens),
            loss_fn_inputs={name: values[index] for name, values in given.items()},
        )
        for index, tokens in enumerate(TOKENS)
    ]


# ---- from the weights -----------------------------------------------------------------------


@frozen
class Bench:
    """A service, and a checkpoint of a run that has been trained a little."""

    service: tinker.ServiceClient
    path: str
    factors: Mapping[str, np.ndarray]
    folder: Path

    def gradient(self, submit: Callable[[tinker.TrainingClient], object]) -> dict[str, np.ndarray]:
        """What a run that begins at the checkpoint has accumulated after these calls."""
        run = self.service.create_training_client_from_state(self.path).result()
        submit(run)
        # A step of Adam with its first moment alone: rate * g / (|g| + eps).
        params = tinker.AdamParams(learning_rate=EPS, beta1=0.0, eps=EPS)
        run.optim_step(params).result()
        after = self.read(run.save_state("after").result().path)
        return {name: before - after[name] for name, before in self.factors.items()}

    def read(self, path: str) -> dict[str, np.ndarray]:
        return read(self.service, path, self.folder)


def read(service: tinker.ServiceClient, path: str, folder: Path) -> dict[str, np.ndarray]:
    files = service.create_rest_client().download_checkpoint(path, folder, overwrite=True).result()
    tensors = load_file(files / "adapter_model.safetensors")
    prefix, suffix = "base_model.model.", ".weight"
    return {
        name.removeprefix(prefix).removesuffix(suffix): tensor.astype(np.float64)
        for name, tensor in tensors.items()
    }


@pytest.fixture(scope="module")
def bench(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("checkpoints")
    with tinker.ServiceClient(base_url=server) as service:
        run = service.create_lora_training_client("tinker-local/tiny", rank=RANK, seed=5).result()
        # A fresh adapter has a factor of zeros, and with it half of its gradients.
        run.forward_backward(batch(), "cross_entropy").result()
        run.optim_step(tinker.AdamParams(learning_rate=0.01)).result()
        path = run.save_state("start").result().path
        yield Bench(service, path, read(service, path, folder), folder)


# ---- by torch -------------------------------------------------------------------------------


def by_torch(
    factors: Mapping[str, np.ndarray],
    total: Callable[[list[Any]], Any],
    targets: list[np.ndarray],
    tokens_of: list[np.ndarray] = TOKENS,
) -> dict[str, np.ndarray]:
    """The gradient, by the adapter's factors, of a function of all datums' log-probabilities."""
    leaves = {name: torch.tensor(factor, requires_grad=True) for name, factor in factors.items()}
    logprobs = []
    for tokens, wanted in zip(tokens_of, targets, strict=True):
        scores = network(leaves, RANK, torch.tensor(tokens))
        found = scores.gather(1, torch.tensor(wanted.reshape(len(tokens), -1)))
        logprobs.append(found.reshape(wanted.shape))
    total(logprobs).backward()
    return {name: leaf.grad.numpy() for name, leaf in leaves.items()}


def agree(got: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray]) -> None:
    assert got.keys() == expected.keys()
    assert any(np.abs(gradient).max() > 0.1 for gradient in expected.values())
    for name, gradient in expected.items():
        tolerance = 2e-3 * np.abs(gradient).max()
        np.testing.assert_allclose(got[name], gradient, rtol=2e-3, atol=tolerance, err_msg=name)


def inputs(index: int) -> dict[str, Any]:
    return {name: torch.tensor(values[index]) for name, values in INPUTS.items()}


# ---- built-in losses ------------------------------------------------------------------------

BUILT_IN: dict[str, tuple[str, ...]] = {
    "cross_entropy": ("weights",),
    "importance_sampling": POLICY,
    "ppo": POLICY,
    "cispo": POLICY,
    "dro": POLICY,
    "gspo": (*POLICY, "sequence_ratio_mask"),
}


@pytest.mark.parametrize("loss_fn", BUILT_IN)
def test_built_in_losses(bench: Bench, loss_fn: Any) -> None:
    data = batch(*BUILT_IN[loss_fn])
    got = bench.gradient(lambda run: run.forward_backward(data, loss_fn).result())

    def total(logprobs: list[Any]) -> Any:
        return sum(loss_of(loss_fn, lp, inputs(i)).sum() for i, lp in enumerate(logprobs))

    agree(got, by_torch(bench.factors, total, TARGETS))


@pytest.mark.parametrize("config", [{}, {"kl_estimator": "k1", "kl_coeff": 0.5}])
def test_stable_reinforce(bench: Bench, config: dict[str, float | str]) -> None:
    """Sampled from the base model and trained from the checkpoint on: the ratios are not 1."""
    sampler = bench.service.create_sampling_client(
        base_model="tinker-local/tiny", record_stability_info=True
    ).result()
    prompt, params = [5, 6, 7], tinker.SamplingParams(max_tokens=8, seed=3, stop=[])
    response = sampler.sample(tinker.ModelInput.from_ints(prompt), 3, params).result()
    before, count = len(prompt) - 1, params.max_tokens or 0
    tokens = [np.array(prompt + sequence.tokens) for sequence in response.sequences]
    advantages = [np.array([0.0] * before + [a] * count, np.float32) for a in (1.0, -0.5, 2.0)]
    data = []
    for sequence, own, advantage in zip(response.sequences, tokens, advantages, strict=True):
        datum = tinker.Datum(
            tinker.ModelInput.from_ints(own[:-1]),
            {"target_tokens": own[1:], "advantages": advantage},
        )
        of_prompt = partial(tinker.PromptProvenanceSpan, sequence_id=sequence.sequence_id)
        of_sample = partial(tinker.SampledProvenanceSpan, sequence_id=sequence.sequence_id)
        data.append(
            datum.with_provenance(
                [of_prompt(length=before + 1), of_sample(length=count - 1)],
                [of_prompt(offset=1, length=before), of_sample(length=count)],
            )
        )
    got = bench.gradient(
        lambda run: run.forward_backward(data, "stable_reinforce", config).result()
    )

    def total(logprobs: list[Any]) -> Any:
        value = 0.0
        for lp, sequence, advantage in zip(logprobs, response.sequences, advantages, strict=True):
            drawn = torch.tensor([float("nan")] * before + (sequence.logprobs or [])).double()
            given = {"drawn_logprobs": drawn, "advantages": torch.tensor(advantage).double()}
            value = value + loss_of("stable_reinforce", lp, given, **config).sum()
        return value

    agree(
        got,
        by_torch(bench.factors, total, [own[1:] for own in tokens], [own[:-1] for own in tokens]),
    )


def test_targets_of_two_axes(bench: Bench) -> None:
    data = batch(targets=WIDE, weights=WIDE_WEIGHTS)
    got = bench.gradient(lambda run: run.forward_backward(data, "cross_entropy").result())

    def total(logprobs: list[Any]) -> Any:
        pairs = zip(WIDE_WEIGHTS, logprobs, strict=True)
        return -sum((torch.tensor(weights) * lp).sum() for weights, lp in pairs)

    agree(got, by_torch(bench.factors, total, WIDE))


@pytest.mark.parametrize("form", ["settings", "inputs"])
def test_thresholds(bench: Bench, form: str) -> None:
    config = {"clip_low_threshold": 0.6, "clip_high_threshold": 1.3} if form == "settings" else None
    data = batch(*POLICY, *(() if config else THRESHOLDS))
    got = bench.gradient(lambda run: run.forward_backward(data, "ppo", config).result())

    def total(logprobs: list[Any]) -> Any:
        value = 0.0
        for index, lp in enumerate(logprobs):
            x = {**inputs(index), **(config or {})}
            ratio, advantages = torch.exp(lp - x["logprobs"]), x["advantages"]
            clipped = torch.clamp(ratio, x["clip_low_threshold"], x["clip_high_threshold"])
            value = value - torch.minimum(ratio * advantages, clipped * advantages).sum()
        return value

    agree(got, by_torch(bench.factors, total, TARGETS))


def test_gradients_of_calls_add_up_and_those_of_forward_do_not(bench: Bench) -> None:
    def submit(run: tinker.TrainingClient) -> None:
        run.forward_backward(batch("weights"), "cross_entropy")
        run.forward(batch("weights"), "cross_entropy")
        run.forward_backward(batch(*POLICY), "importance_sampling").result()

    def total(logprobs: list[Any]) -> Any:
        losses = ("cross_entropy", "importance_sampling")
        return sum(
            loss_of(name, lp, inputs(i)).sum() for name in losses for i, lp in enumerate(logprobs)
        )

    agree(bench.gradient(submit), by_torch(bench.factors, total, TARGETS))


# ---- losses of the caller's own -------------------------------------------------------------


def own(data: Any, logprobs: list[Any]) -> tuple[Any, dict[str, float]]:
    """Not a sum over tokens, nor over datums."""
    means = torch.stack([lp.mean() for lp in logprobs])
    return torch.logsumexp(-means, 0) * 10 + (logprobs[0].exp() * logprobs[0]).sum(), {}


def own_in_numpy(data: Any, logprobs: list[Any]) -> Any:
    means = np.array([lp.mean() for lp in logprobs])
    exponents = np.exp(-means)
    shares = exponents / exponents.sum()
    gradients = [
        np.full_like(lp, -10 * share / lp.size) for lp, share in zip(logprobs, shares, strict=True)
    ]
    first = logprobs[0]
    gradients[0] += np.exp(first) * (1 + first)
    value = 10 * np.log(exponents.sum()) + (np.exp(first) * first).sum()
    return float(value), {}, gradients


@pytest.mark.parametrize("targets", [TARGETS, WIDE], ids=["one axis", "two axes"])
@pytest.mark.parametrize("loss", [own, tinker.NumpyLoss(own_in_numpy)], ids=["torch", "numpy"])
def test_losses_that_run_here(bench: Bench, loss: Any, targets: list[np.ndarray]) -> None:
    data = batch(targets=targets)
    got = bench.gradient(lambda run: run.forward_backward_custom(data, loss).result())
    agree(got, by_torch(bench.factors, lambda logprobs: own([], logprobs)[0], targets))


def on_the_server(logprobs: Any, advantages: Any, mine: Any) -> Any:
    ratio = torch.exp(torch.clamp(logprobs - mine, -7.0, 0.5))
    centred = advantages - advantages.mean()
    return -(ratio * centred).sum() - torch.logsumexp(logprobs, 0), {
        "custom/ratio:mean": ratio.mean()
    }


def test_losses_that_run_on_the_server(bench: Bench) -> None:
    ranks = {"logprobs": 1, "advantages": 1, "mine": 1}
    handle = bench.service.create_custom_loss(on_the_server, ranks).result()
    data = batch("advantages", "mine")
    got = bench.gradient(lambda run: run.forward_backward_custom(data, handle).result())

    def total(logprobs: list[Any]) -> Any:
        given = [(inputs(i)["advantages"], inputs(i)["mine"]) for i in range(len(logprobs))]
        return sum(on_the_server(lp, *more)[0] for lp, more in zip(logprobs, given, strict=True))

    agree(got, by_torch(bench.factors, total, TARGETS))


@pytest.mark.parametrize("penalised", [own, tinker.NumpyLoss(own_in_numpy)], ids=["torch", "numpy"])
def test_losses_with_terms(bench: Bench, penalised: Any) -> None:
    loss = regularizers.regularized(
        own,
        Regularizer("sure", 0.5, regularizers.entropy),
        Regularizer("small", 0.02, regularizers.l2),
        Regularizer("in torch", 0.1, lambda data, x: (x[2].exp().sum() * x[1].sum(), {})),
        Regularizer("flat", 0.2, regularizers.gradient_penalty(penalised, target=1.0)),
        parallel=True,
    )
    got = bench.gradient(lambda run: run.forward_backward_custom(batch(), loss).result())

    def total(logprobs: list[Any]) -> Any:
        value = own([], logprobs)[0]
        (*found,) = torch.autograd.grad(value, logprobs, create_graph=True)
        value = value + 0.5 * sum((x.exp() * x).sum() for x in logprobs)
        value = value + 0.02 * sum((x**2).sum() for x in logprobs)
        value = value + 0.1 * logprobs[2].exp().sum() * logprobs[1].sum()
        return value + 0.2 * (torch.cat(found).norm() - 1.0) ** 2

    agree(got, by_torch(bench.factors, total, TARGETS))
