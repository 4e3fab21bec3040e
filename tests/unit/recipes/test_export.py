"""Merges against numpy, and folders that are not an adapter and its base model: each is refused, and nothing is left."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

safetensors = pytest.importorskip("safetensors.numpy")

from tinker.recipes import RecipeError, for_vllm, merge

ADAPTER, CONFIG = "adapter_model.safetensors", "adapter_config.json"
Q, HEAD = "model.layers.0.q_proj", "lm_head"
A = np.arange(6, dtype=np.float32).reshape(2, 3)
B = np.arange(8, dtype=np.float32).reshape(4, 2) - 3
W = np.linspace(-1, 1, 12).reshape(4, 3)


def factors(*modules: str) -> dict[str, Any]:
    return {
        f"base_model.model.{module}.lora_{side}.weight": values
        for module in modules
        for side, values in (("A", A), ("B", B))
    }


def write(folder: Path, tensors: dict[str, Any], **config: Any) -> Path:
    folder.mkdir(exist_ok=True)
    safetensors.save_file(tensors, folder / ADAPTER)
    settings = {"peft_type": "LORA", "r": 2, "lora_alpha": 6, **config}
    (folder / CONFIG).write_text(json.dumps(settings))
    return folder


def write_base(folder: Path, tensors: dict[str, Any]) -> Path:
    folder.mkdir()
    safetensors.save_file(tensors, folder / "model.safetensors")
    (folder / "config.json").write_text("{}")
    return folder


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    base = write_base(tmp_path / "base", {f"{Q}.weight": W, "other": np.array([7])})
    return write(tmp_path / "adapter", factors(Q)), base


@pytest.mark.parametrize(("rslora", "scale"), [(False, 3.0), (True, 6 / 2**0.5)])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_a_merge_is_the_sum(tmp_path: Path, dtype: type, rslora: bool, scale: float) -> None:
    adapter = write(tmp_path / "adapter", factors(Q), use_rslora=rslora)
    count = np.array([7])
    base = write_base(tmp_path / "base", {f"{Q}.weight": W.astype(dtype), "other": count})
    (tmp_path / "out").mkdir()  # an empty folder may be there
    merged = merge(adapter, base, tmp_path / "out")
    assert (merged.changed, merged.shards, merged.notes) == (1, 1, [])
    found = safetensors.load_file(tmp_path / "out" / "model.safetensors")
    assert found[f"{Q}.weight"].dtype == dtype
    np.testing.assert_allclose(
        found[f"{Q}.weight"], W + scale * (B @ A), rtol=2e-3 if dtype == np.float16 else 1e-6
    )
    np.testing.assert_array_equal(found["other"], count)


def _other_config(**config: Any) -> Callable[[Path, Path], object]:
    return lambda adapter, base: write(adapter, factors(Q), **config)


def _other_factors(tensors: dict[str, Any]) -> Callable[[Path, Path], object]:
    return lambda adapter, base: write(adapter, tensors)


def _index(adapter: Path, base: Path) -> None:
    index = {"weight_map": {"a": "model.safetensors", "b": "more.safetensors"}}
    (base / "model.safetensors.index.json").write_text(json.dumps(index))


def _cut(adapter: Path, base: Path) -> None:
    content = (base / "model.safetensors").read_bytes()
    (base / "model.safetensors").write_bytes(content[:-1])


def _float8(adapter: Path, base: Path) -> None:
    path = base / "model.safetensors"
    path.write_bytes(path.read_bytes().replace(b'"dtype":"I64"', b'"dtype":"F9_"', 1))


def _pointer(adapter: Path, base: Path) -> None:
    (base / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\n")


def _of_another_kind(adapter: Path, base: Path) -> None:
    (base / "model.safetensors").write_bytes((2).to_bytes(8, "little") + b"[]")


def _empty_index(adapter: Path, base: Path) -> None:
    (base / "model.safetensors.index.json").write_text("{}")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda adapter, base: (adapter / CONFIG).unlink(), "has no adapter_config.json"),
        (lambda adapter, base: (adapter / CONFIG).write_text("{"), "cannot be read"),
        (lambda adapter, base: (adapter / CONFIG).write_text("[]"), "is not a JSON object"),
        (lambda adapter, base: (adapter / ADAPTER).unlink(), "has no adapter_model.safetensors"),
        (lambda adapter, base: (base / "config.json").unlink(), "has no config.json"),
        (lambda adapter, base: (base / "model.safetensors").unlink(), "has no safetensors files"),
        (_index, "is incomplete: more.safetensors is missing"),
        (_empty_index, "index.json has no weight_map"),
        (_of_another_kind, "its header is not a JSON object"),
        (_cut, "is incomplete: it ends before"),
        (_float8, "other is stored as F9_; models with such tensors are not merged"),
        (_pointer, "model.safetensors is not a safetensors file"),
        (_other_config(peft_type="IA3"), "The adapter is 'IA3'; only LORA adapters"),
        (_other_config(use_dora=True, rank_pattern={"a": 1}), "use_dora, rank_pattern are not"),
        (_other_config(r=0), "r is 0 and its lora_alpha 6; they must be"),
        (_other_config(lora_alpha=None), "lora_alpha None"),
        (_other_factors({"what": A}), "what is not a factor"),
        (_other_factors({f"{Q}.lora_A.weight": A}), "has only one of its two factors"),
        (_other_factors(factors("model.layers.9.q_proj")), "no weights for 1 modules"),
        (_other_factors(factors(HEAD)), "no weights for 1 modules of the adapter, such as lm_head"),
        (_other_factors({k: v.T for k, v in factors(Q).items()}), "is \\[4, 3\\]; the adapter"),
        (_other_factors({k: v.astype(int) for k, v in factors(Q).items()}), "only float tensors"),
    ],
)
def test_what_cannot_be_merged_is_refused(
    folders: tuple[Path, Path],
    tmp_path: Path,
    spoil: Callable[[Path, Path], object],
    words: str,
) -> None:
    adapter, base = folders
    spoil(adapter, base)
    with pytest.raises(RecipeError, match=words):
        merge(adapter, base, tmp_path / "out")
    assert {path.name for path in tmp_path.iterdir()} == {"adapter", "base"}


def test_a_folder_with_files_is_not_overwritten(folders: tuple[Path, Path]) -> None:
    with pytest.raises(RecipeError, match="exists and is not empty"):
        merge(*folders, folders[1])
    assert (folders[1] / "model.safetensors").exists()


@pytest.mark.parametrize("targets", [["q_proj", "lm_head"], "all-linear"])
def test_for_vllm_the_unembedding_is_left_out(tmp_path: Path, targets: Any) -> None:
    base_layer = {f"base_model.model.{HEAD}.base_layer.weight": W}
    adapter = write(tmp_path / "a", factors(Q, HEAD) | base_layer, target_modules=targets)
    (note,) = for_vllm(adapter)
    assert note.startswith("lm_head was left out")
    assert safetensors.load_file(adapter / ADAPTER).keys() == factors(Q).keys()
    kept = json.loads((adapter / CONFIG).read_text())["target_modules"]
    assert kept == ("all-linear" if targets == "all-linear" else ["q_proj"])
    assert for_vllm(adapter) == []
