"""A merged model gives what PEFT gives for base and adapter, shard by shard and in every float type."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
peft = pytest.importorskip("peft")

from tinker.recipes import RecipeError, for_vllm, merge

pytestmark = pytest.mark.torch


def make(folder: Path, dtype: Any, tied: bool, targets: list[str]) -> Any:
    """A random Qwen3 with a random adapter, in several shards; returns PEFT's model of both."""
    torch.manual_seed(0)
    config = transformers.Qwen3Config(
        vocab_size=96,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        tie_word_embeddings=tied,
    )
    base = transformers.Qwen3ForCausalLM(config).to(dtype)
    base.save_pretrained(folder / "base", max_shard_size="20KB")
    settings = peft.LoraConfig(r=4, lora_alpha=12, target_modules=targets, init_lora_weights=False)
    model = peft.get_peft_model(base, settings)
    model.save_pretrained(folder / "adapter")
    return model.eval()


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [("float32", 2e-6), ("bfloat16", 3e-2), ("float16", 4e-3)]
)
def test_the_merged_model_is_base_and_adapter(
    tmp_path: Path, dtype: str, tolerance: float, tied: bool
) -> None:
    model = make(
        tmp_path, getattr(torch, dtype), tied, ["q_proj", "v_proj", "down_proj", "lm_head"]
    )
    done: list[tuple[int, int]] = []
    merged = merge(
        tmp_path / "adapter",
        tmp_path / "base",
        tmp_path / "out",
        progress=lambda *n: done.append(n),
    )
    assert merged.shards > 1
    assert done[-1] == (merged.shards, merged.shards)
    assert bool(merged.notes) == tied
    loaded = transformers.AutoModelForCausalLM.from_pretrained(
        tmp_path / "out", dtype=getattr(torch, dtype)
    )
    tokens = torch.arange(12)[None]
    with torch.no_grad():
        expected, found = model(tokens).logits.float(), loaded(tokens).logits.float()
    assert (expected - found).abs().max() <= tolerance * expected.abs().max()
    assert loaded.dtype == getattr(torch, dtype)


def test_an_adapter_of_another_model_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    make(tmp_path, torch.float32, False, ["q_proj"])
    weights = tmp_path / "adapter" / "adapter_model.safetensors"
    from safetensors.torch import load_file, save_file

    save_file(
        {k.replace("layers.1", "layers.9"): v for k, v in load_file(weights).items()}, weights
    )
    with pytest.raises(RecipeError, match=r"layers\.9"):
        merge(tmp_path / "adapter", tmp_path / "base", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".*partial"))


def test_what_vllm_does_not_take_is_left_out_with_a_sentence(tmp_path: Path) -> None:
    make(tmp_path, torch.float32, False, ["q_proj", "lm_head"])
    (note,) = for_vllm(tmp_path / "adapter")
    assert "lm_head" in note
    config = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    assert config["target_modules"] == ["q_proj"]
    base = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "base")
    loaded = peft.PeftModel.from_pretrained(base, tmp_path / "adapter")
    assert not [name for name, _ in loaded.named_parameters() if "lm_head.lora" in name]
    assert for_vllm(tmp_path / "adapter") == []
