"""Log-probabilities, gradients and steps are those of transformers, PEFT and torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
import torch
from attrs import evolve

import tinker
from tests.real_models.conftest import example, shake
from tests.support.tiny_in_torch import FORMULAS, loss_of
from tinker_local import LocalServer
from tinker_local.engine.base import AdamSpec, AdapterState, EngineError, Example, LoraSpec
from tinker_local.state import peft as peft_form

LENGTHS = [5, 150, 33, 34, 35, 149, 1]


def with_peft(reference: Any, adapter_state: AdapterState, folder: Path) -> Any:
    """The reference model with the adapter, as PEFT loads it from its files."""
    from peft import PeftModel

    folder.mkdir(exist_ok=True)
    (folder / "adapter_config.json").write_text(json.dumps(peft_form.config(adapter_state)))
    tensors = peft_form.tensors(adapter_state.weights)
    (folder / "adapter_model.safetensors").write_bytes(safetensors.numpy.save(tensors))
    return PeftModel.from_pretrained(reference, folder, is_trainable=True)


def logprobs_of(model: Any, one: Example) -> torch.Tensor:
    logits = model(input_ids=torch.tensor(one.tokens)[None]).logits[0]
    targets = torch.tensor(one.inputs["target_tokens"])[:, None]
    return logits.float().log_softmax(-1).gather(1, targets)[:, 0]


def test_log_probabilities_are_those_of_transformers(
    engine: Any, kind: str, reference: Any, random: np.random.RandomState
) -> None:
    data = [example(random, n) for n in LENGTHS]
    adapter = engine.new_adapter(kind, LoraSpec(rank=4))
    result, _ = engine.forward(adapter, data, "cross_entropy", {}, backward=False)
    with torch.no_grad():
        for one, output in zip(data, result.outputs, strict=True):
            np.testing.assert_allclose(output["logprobs"], logprobs_of(reference, one), atol=1e-4)


def test_metrics_of_a_loss_that_goes_by_samples(
    engine: Any, kind: str, reference: Any, random: np.random.RandomState
) -> None:
    data = [
        example(random, n, logprobs=random.normal(-6, 1, n), advantages=random.normal(size=n))
        for n in (5, 33)
    ]
    adapter = engine.new_adapter(kind, LoraSpec(rank=4))
    result, _ = engine.forward(adapter, data, "ppo", {}, backward=False)
    expected = []
    for one in data:
        q, a = (torch.tensor(one.inputs[name]) for name in ("logprobs", "advantages"))
        with torch.no_grad():
            log_ratio = logprobs_of(reference, one).double() - q
        ratio = log_ratio.exp()
        outside = ((ratio < 0.8) | (ratio > 1.2)).double()
        parts = (torch.expm1(log_ratio) - log_ratio, -q, a, outside)
        expected.append([part.mean().item() for part in parts])
    names = ("kl:mean", "entropy:mean", "advantage:mean", "clip_fraction:mean")
    assert [result.metrics[name] for name in names] == pytest.approx(
        np.mean(expected, axis=0), rel=1e-3
    )


@pytest.mark.parametrize(
    "parts", [{}, {"train_unembed": False}, {"train_mlp": False, "train_attn": False}]
)
def test_a_step_is_a_step_of_peft_and_adamw(
    engine: Any,
    kind: str,
    reference: Any,
    random: np.random.RandomState,
    shaken: Any,
    tmp_path: Path,
    parts: dict[str, bool],
) -> None:
    """Two steps, each of two batches, with clipping and weight decay."""
    adapter = shaken(kind, **parts)
    model = with_peft(reference, engine.save(adapter), tmp_path)
    parameters = {n: p for n, p in model.named_parameters() if p.requires_grad}
    spec = AdamSpec(
        learning_rate=1e-2, beta1=0.8, beta2=0.97, eps=1e-8, weight_decay=0.1, grad_clip_norm=1.0
    )
    optimizer = torch.optim.AdamW(
        parameters.values(), lr=1e-2, betas=(0.8, 0.97), eps=1e-8, weight_decay=0.1
    )
    for _ in range(2):
        for _ in range(2):
            data = [example(random, n, weights=random.normal(size=n)) for n in LENGTHS]
            data[0].inputs["weights"][:] = 0
            result, adapter = engine.forward(adapter, data, "cross_entropy", {}, backward=True)
            losses = [
                -(logprobs_of(model, one) * torch.tensor(one.inputs["weights"])).sum()
                for one in data
            ]
            torch.stack(losses).sum().backward()
            assert result.metrics["loss:sum"] == pytest.approx(
                sum(losses).item(), rel=1e-4, abs=1e-3
            )
        norm = torch.nn.utils.clip_grad_norm_(parameters.values(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        metrics, adapter = engine.optim_step(adapter, spec)
        assert metrics["unclipped_grad_l2:mean"] == pytest.approx(norm.item(), rel=1e-4)
    state = engine.save(adapter)
    assert len(parameters) == len(state.weights)
    for name, weight in state.weights.items():
        theirs = parameters[f"base_model.model.{name}.default.weight"].detach()
        np.testing.assert_allclose(weight, theirs, atol=1e-5, err_msg=name)


@pytest.fixture(scope="module")
def trained(engine: Any, folders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """An adapter that changes the model, and the same in transformers and PEFT."""
    from transformers import AutoModelForCausalLM

    state = engine.save(engine.new_adapter("qwen3", LoraSpec(rank=3, seed=1)))
    adapter = engine.load(shake(state, np.random.RandomState(0)))
    reference = AutoModelForCausalLM.from_pretrained(folders["qwen3"], dtype=torch.float32).eval()
    return adapter, with_peft(reference, engine.save(adapter), tmp_path_factory.mktemp("peft"))


CONFIGS: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in FORMULAS),
    *(("stable_reinforce", {"kl_estimator": k, "kl_coeff": 0.7}) for k in ("k1", "k2", "k3")),
]


@pytest.mark.parametrize(("loss_fn", "config"), CONFIGS)
def test_gradients_of_all_losses_are_those_of_autograd(
    engine: Any, trained: Any, random: np.random.RandomState, loss_fn: str, config: dict[str, Any]
) -> None:
    adapter, model = trained
    data = []
    for length in (5, 40, 17):
        one = example(
            random,
            length,
            sequence_ratio_mask=(np.arange(length) > 1).astype(np.float32),
            **{name: random.normal(size=length) for name in ("weights", "advantages")},
        )
        own, _ = engine.forward(adapter, [one], "cross_entropy", {}, backward=False)
        sampled = own.outputs[0]["logprobs"] + random.normal(0, 0.3, length).astype(np.float32)
        drawn = np.where(np.arange(length) > length // 3, sampled, np.nan).astype(np.float32)
        inputs = {**one.inputs, "logprobs": sampled}
        data.append(evolve(one, inputs=inputs, drawn_logprobs=drawn))
    result, after = engine.forward(adapter, data, loss_fn, config, backward=True)

    model.zero_grad()
    total = torch.zeros((), dtype=torch.float64)
    for one, output in zip(data, result.outputs, strict=True):
        given = {**one.inputs, "drawn_logprobs": one.drawn_logprobs}
        tensors = {name: torch.tensor(value) for name, value in given.items()}
        elementwise = loss_of(loss_fn, logprobs_of(model, one).double(), tensors, **config)
        np.testing.assert_allclose(output["elementwise_loss"], elementwise.detach(), atol=1e-4)
        total = total + elementwise.sum()
    total.backward()
    assert result.metrics["loss:sum"] == pytest.approx(total.item(), rel=1e-4, abs=1e-3)
    parameters = {n: p for n, p in model.named_parameters() if p.requires_grad}
    largest = max(float(p.grad.abs().max()) for p in parameters.values())
    for name, gradient in engine.save(after).grads.items():
        theirs = parameters[f"base_model.model.{name}.default.weight"].grad
        np.testing.assert_allclose(gradient, theirs, atol=1e-5 * largest, err_msg=name)


def test_an_adapter_of_ours_gives_peft_the_same_logits(
    engine: Any,
    kind: str,
    reference: Any,
    random: np.random.RandomState,
    shaken: Any,
    tmp_path: Path,
) -> None:
    adapter = shaken(kind)
    model = with_peft(reference, engine.save(adapter), tmp_path)
    one = example(random, 40)
    result, _ = engine.forward(adapter, [one], "cross_entropy", {}, backward=False)
    with torch.no_grad():
        np.testing.assert_allclose(
            result.outputs[0]["logprobs"], logprobs_of(model, one), atol=1e-4
        )


def test_an_adapter_of_pefts_can_be_trained_on(
    engine: Any, kind: str, reference: Any, random: np.random.RandomState, tmp_path: Path
) -> None:
    """It is uploaded, and changes some of the matrices alone, as PEFT's adapters usually do."""
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(3)
    config = LoraConfig(
        r=8,
        lora_alpha=7,
        target_modules=["q_proj", "v_proj", "down_proj"],
        use_rslora=True,
        init_lora_weights=False,
    )
    model = get_peft_model(reference, config)
    model.save_pretrained(tmp_path)
    one = example(random, 40)
    expected = logprobs_of(model, one).detach()
    datum = tinker.Datum(
        model_input=tinker.ModelInput.from_ints(one.tokens.tolist()), loss_fn_inputs=one.inputs
    )
    with LocalServer(engine=engine) as server, tinker.ServiceClient(base_url=server.url) as service:
        rest = service.create_rest_client()
        path = rest.upload_external_weights(tmp_path, base_model=kind).result(timeout=60)
        training = service.create_training_client_from_state(path).result(timeout=60)
        result = training.forward_backward([datum], "cross_entropy").result(timeout=60)
        logprobs = result.loss_fn_outputs[0]["logprobs"].to_numpy()
        np.testing.assert_allclose(logprobs, expected, atol=1e-4)
        training.optim_step(tinker.AdamParams(learning_rate=1e-2)).result(timeout=60)
        after = training.forward([datum], "cross_entropy").result(timeout=60)
        assert after.metrics["loss:sum"] < result.metrics["loss:sum"]
        saved = training.save_weights_external("trained").result(timeout=60).path
        folder = rest.download_checkpoint(str(saved), tmp_path / "trained").result(timeout=60)
    exported = json.loads((folder / "adapter_config.json").read_text())
    assert exported["target_modules"] == sorted(config.target_modules)


def test_company_and_padding_change_nothing(
    engine: Any, kind: str, random: np.random.RandomState, shaken: Any
) -> None:
    """Each example alone, with all gradients added up, is the batch."""
    adapter = shaken(kind)
    data = [example(random, n, weights=random.normal(size=n)) for n in LENGTHS]
    together, all_at_once = engine.forward(adapter, data, "cross_entropy", {}, backward=True)
    one_by_one = adapter
    for one, output in zip(data, together.outputs, strict=True):
        alone, one_by_one = engine.forward(one_by_one, [one], "cross_entropy", {}, backward=True)
        np.testing.assert_allclose(output["logprobs"], alone.outputs[0]["logprobs"], atol=1e-5)
    mine, theirs = engine.save(all_at_once).grads, engine.save(one_by_one).grads
    for name, gradient in mine.items():
        scale = np.abs(gradient).max()
        np.testing.assert_allclose(gradient, theirs[name], atol=1e-5 * max(scale, 1), err_msg=name)


def test_activations_can_be_computed_again(
    engine: Any, random: np.random.RandomState, shaken: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it is done for what does not fit the memory."""
    from tinker_local.engine.hf import memory

    adapter = shaken("gemma2")
    data = [example(random, n) for n in LENGTHS]
    _, kept = engine.forward(adapter, data, "cross_entropy", {}, backward=True)
    monkeypatch.setattr(memory, "available", lambda device: 0)
    _, again = engine.forward(adapter, data, "cross_entropy", {}, backward=True)
    for name, gradient in engine.save(kept).grads.items():
        np.testing.assert_allclose(gradient, engine.save(again).grads[name], rtol=1e-4, atol=1e-4)


def test_pieces_of_the_vocabulary_change_nothing(
    engine: Any,
    kind: str,
    random: np.random.RandomState,
    shaken: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from tinker_local.engine.hf import logprobs

    adapter = shaken(kind)
    data = [example(random, 30, weights=random.randint(0, 2, 30))]
    result, whole = engine.forward(adapter, data, "cross_entropy", {}, backward=True)
    monkeypatch.setattr(logprobs, "PIECE", 1000)
    again, pieces = engine.forward(adapter, data, "cross_entropy", {}, backward=True)
    np.testing.assert_allclose(
        result.outputs[0]["logprobs"], again.outputs[0]["logprobs"], atol=1e-5
    )
    for name, gradient in engine.save(whole).grads.items():
        np.testing.assert_allclose(gradient, engine.save(pieces).grads[name], rtol=1e-4, atol=1e-4)


def test_targets_of_several_tokens_a_position(
    engine: Any, kind: str, reference: Any, random: np.random.RandomState
) -> None:
    """[T, K] targets with weights, beside a datum with one target a position."""
    soft = example(random, 20)
    targets, weights = random.randint(0, 380, (20, 5)), random.normal(size=(20, 5))
    soft = evolve(soft, inputs={"target_tokens": targets, "weights": weights})
    adapter = engine.new_adapter(kind, LoraSpec(rank=2))
    data = [example(random, 21), soft]
    result, after = engine.forward(adapter, data, "cross_entropy", {}, backward=True)
    with torch.no_grad():
        logits = reference(input_ids=torch.tensor(soft.tokens)[None]).logits[0]
    expected = logits.log_softmax(-1).gather(1, torch.tensor(targets))
    np.testing.assert_allclose(result.outputs[1]["logprobs"], expected, atol=1e-4)
    np.testing.assert_allclose(
        result.outputs[1]["elementwise_loss"], -weights * expected.numpy(), atol=1e-3
    )
    assert engine.save(after).grads


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda one: evolve(one, tokens=one.tokens + 10_000), "outside the vocabulary"),
        (lambda one: evolve(one, tokens=np.tile(one.tokens, 99)), "more than the context of 256"),
        (
            lambda one: evolve(one, inputs={"target_tokens": one.tokens - 1000}),
            "outside the vocabulary",
        ),
        (
            lambda one: evolve(one, inputs={**one.inputs, "weights": np.full(9, np.nan)}),
            "must be finite",
        ),
    ],
)
def test_bad_data_is_refused_by_name(
    engine: Any, random: np.random.RandomState, change: Any, reason: str
) -> None:
    adapter = engine.new_adapter("qwen3", LoraSpec(rank=2))
    with pytest.raises(EngineError, match=rf"data\[1\].*{reason}"):
        engine.forward(
            adapter,
            [example(random, 5), change(example(random, 9))],
            "cross_entropy",
            {},
            backward=True,
        )


def test_what_is_not_finite_changes_nothing(
    engine: Any, random: np.random.RandomState, shaken: Any
) -> None:
    adapter = shaken("qwen3")
    state = engine.save(adapter)
    with pytest.raises(EngineError, match="nothing was changed"):
        _, grown = engine.forward(adapter, [example(random, 9)], "cross_entropy", {}, backward=True)
        engine.optim_step(grown, AdamSpec(learning_rate=1e38, weight_decay=10.0))
    broken = engine.load(evolve(state, weights={n: w * 1e30 for n, w in state.weights.items()}))
    with pytest.raises(EngineError, match="not finite"):
        engine.forward(broken, [example(random, 9)], "cross_entropy", {}, backward=True)
    for name, weight in engine.save(adapter).weights.items():
        np.testing.assert_array_equal(weight, state.weights[name])


def test_seeds_and_parts(engine: Any, kind: str) -> None:
    def weights(**spec: Any) -> Any:
        return engine.save(engine.new_adapter(kind, LoraSpec(rank=2, **spec))).weights

    first, same, other = weights(seed=1), weights(seed=1), weights(seed=2)
    name = "model.layers.0.self_attn.q_proj.lora_A"
    np.testing.assert_array_equal(first[name], same[name])
    assert not np.array_equal(first[name], other[name])
    assert not any(weight.any() for key, weight in first.items() if key.endswith("lora_B"))
    assert {key.split(".")[-3] for key in weights(train_mlp=False, train_unembed=False)} == {
        "self_attn"
    }
    assert {key.split(".")[-3] for key in weights(train_attn=False, train_unembed=False)} == {"mlp"}
    assert set(weights(train_attn=False, train_mlp=False)) == {"lm_head.lora_A", "lm_head.lora_B"}
    with pytest.raises(EngineError, match="trains nothing"):
        weights(train_attn=False, train_mlp=False, train_unembed=False)
    with pytest.raises(EngineError, match="rank"):
        engine.new_adapter(kind, LoraSpec(rank=0))


def test_what_files_hold_is_the_adapter(
    engine: Any, random: np.random.RandomState, shaken: Any, tmp_path: Path
) -> None:
    adapter = shaken("llama")
    _, adapter = engine.forward(adapter, [example(random, 9)], "cross_entropy", {}, backward=True)
    _, adapter = engine.optim_step(adapter, AdamSpec(learning_rate=1e-2))
    _, adapter = engine.forward(adapter, [example(random, 9)], "cross_entropy", {}, backward=True)
    again = engine.load(engine.save(adapter))
    (mine,), (theirs,) = [engine.optim_step(one, AdamSpec())[1:] for one in (adapter, again)]
    for name, weight in engine.save(mine).weights.items():
        np.testing.assert_array_equal(weight, engine.save(theirs).weights[name])
