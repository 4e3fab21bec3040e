"""Models of other families than those of the other tests: the same numbers, or rejected with the reason."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

from tests.real_models.conftest import example
from tests.real_models.test_training import logprobs_of
from tests.support.small_models import make_folder
from tinker_local.engine.base import AdamSpec, LoraSpec, SampleSpec
from tinker_local.engine.hf.engine import HfEngine
from tinker_local.engine.hf.folder import ModelError


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("qwen2", {}),
        ("gemma", {}),
        ("gemma3_text", {"sliding_window": 16, "query_pre_attn_scalar": 16}),
        ("smollm3", {}),
        ("mistral", {"sliding_window": 16}),
        ("phi", {"head_dim": 12, "num_key_value_heads": 4}),
        ("phi3", {"head_dim": 12}),
        ("gpt_neox", {"num_key_value_heads": 4}),
        ("olmo2", {"head_dim": 12}),
    ],
)
def test_a_family_gives_the_numbers_of_transformers(
    kind: str, settings: dict[str, Any], tmp_path: Path, random: np.random.RandomState
) -> None:
    from transformers import AutoModelForCausalLM

    make_folder(tmp_path / kind, kind, **settings)
    engine = HfEngine([(None, tmp_path / kind)], device="cpu")
    reference = AutoModelForCausalLM.from_pretrained(tmp_path / kind, dtype=torch.float32).eval()
    data = [example(random, length) for length in (5, 60, 33)]

    adapter = engine.new_adapter(kind, LoraSpec(rank=3, seed=1))
    result, grown = engine.forward(adapter, data, "cross_entropy", {}, backward=True)
    with torch.no_grad():
        for one, output in zip(data, result.outputs, strict=True):
            np.testing.assert_allclose(output["logprobs"], logprobs_of(reference, one), atol=1e-4)
    _, stepped = engine.optim_step(grown, AdamSpec(learning_rate=1e-3))
    after, _ = engine.forward(stepped, data, "cross_entropy", {}, backward=False)
    assert after.metrics["loss:sum"] < result.metrics["loss:sum"]

    prompt = data[0].tokens
    greedy = SampleSpec(prompt=prompt, max_tokens=8, temperature=0.0, stop_at_eos=False)
    (sampled,) = engine.sample(kind, None, [greedy])
    expected = reference.generate(
        torch.tensor(prompt)[None],
        max_new_tokens=8,
        min_new_tokens=8,
        do_sample=False,
        pad_token_id=0,
    )
    assert sampled.sequences[0].tokens.tolist() == expected[0, len(prompt) :].tolist()


@pytest.mark.parametrize(
    ("kind", "settings", "reason"),
    [
        ("mixtral", {"num_local_experts": 4}, "it is a mixture of experts; dense decoders such as"),
        ("gpt2", {}, "not a sequence of decoder layers with a linear unembedding"),
        ("mamba", {}, "0.mixer.in_proj belongs neither to an attention block nor to an MLP"),
        ("granite", {"head_dim": 12, "logits_scaling": 8.0}, "its logits are more than"),
    ],
)
def test_a_family_is_rejected_with_the_reason(
    kind: str, settings: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    make_folder(tmp_path / kind, kind, **settings)
    with pytest.raises(ModelError, match=rf"^{kind} \({kind}\) cannot be offered: .*{reason}"):
        HfEngine([(None, tmp_path / kind)], device="cpu")


UP = "model.layers.1.mlp.up_proj.weight"


def without_a_matrix(folder: Path) -> None:
    change(folder, lambda tensors: tensors.pop(UP))


def with_another_shape(folder: Path) -> None:
    change(folder, lambda tensors: tensors.update({UP: torch.zeros(3, 3)}))


def with_nan(folder: Path) -> None:
    change(folder, lambda tensors: tensors[UP].fill_(torch.nan))


def change(folder: Path, how: Callable[[dict[str, torch.Tensor]], object]) -> None:
    file = folder / "model.safetensors"
    tensors = safetensors.torch.load_file(file)
    how(tensors)
    safetensors.torch.save_file(tensors, file, metadata={"format": "pt"})


def cut_short(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:20_000])


def without_a_shard(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    index = {"metadata": {}, "weight_map": {UP: "model-00002-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def with_half_a_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").write_text("{")


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (without_a_matrix, f"its files do not have {UP}$"),
        (with_another_shape, rf"{UP} has shape \[3, 3\] in its files, and \[96, 48\] by its"),
        (with_nan, "its logits are not finite in float32$"),
        (cut_short, "incomplete metadata, file not fully covered$"),
        (without_a_shard, "model-00002-of-00002.safetensors$"),
        (with_half_a_tokenizer, "tokenizer.json: EOF while parsing"),
    ],
)
def test_a_damaged_folder_is_rejected_with_the_reason(
    damage: Callable[[Path], None], reason: str, tmp_path: Path, folders: dict[str, Path]
) -> None:
    """In one line; above all, no weights are made up in place of missing ones."""
    damage(shutil.copytree(folders["qwen3"], tmp_path / "damaged"))
    with pytest.raises(ModelError, match=rf"^damaged[^\n]* cannot be [^\n]*: [^\n]*{reason}"):
        HfEngine([(None, tmp_path / "damaged")], device="cpu")
