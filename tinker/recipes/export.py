"""A trained adapter as files that other programs load: a PEFT folder, or a whole model.

    merge(adapter_folder, base_folder, folder)     base + adapter, for transformers, vLLM and converters to GGUF
    for_vllm(adapter_folder)                       without what vLLM does not take

A merge goes through the base model shard by shard, and holds the merged tensors of one shard in memory.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
from attrs import frozen

from tinker.recipes.errors import RecipeError, missing_extra

ADAPTER, ADAPTER_CONFIG = "adapter_model.safetensors", "adapter_config.json"
_INDEX = "model.safetensors.index.json"
_PREFIX = "base_model.model."
_FACTOR = re.compile(r"\.lora_(A|B)(\.[^.]+)?\.weight$")
_UNEMBEDDINGS = ("lm_head", "unembed_tokens")
_NAMES = {
    "BF16": "bfloat16",
    "F16": "float16",
    "F32": "float32",
    "F64": "float64",
    "BOOL": "bool",
    "I8": "int8",
    "I16": "int16",
    "I32": "int32",
    "I64": "int64",
    "U8": "uint8",
}

Array = npt.NDArray[np.float32]


@frozen
class Merged:
    """What a merge did."""

    folder: Path
    changed: int
    """Tensors that the adapter changed."""
    shards: int
    notes: list[str]


def merge(
    adapter: str | Path,
    base: str | Path,
    output: str | Path,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Merged:
    """Add an adapter to its base model: W + (alpha / rank) B A for every adapted matrix.

    Args:
        adapter: Folder with adapter_config.json and adapter_model.safetensors, as PEFT writes it.
        base: Folder of the base model in safetensors, as transformers writes it.
        output: Folder to make.
        progress: Called with the shards done and the shards there are.

    Raises:
        RecipeError: A folder is not what it should be, or the adapter does not fit the base model; it names the tensor.
    """
    adapter, base, output = Path(adapter), Path(base), Path(output)
    config = _json(adapter / ADAPTER_CONFIG)
    factors = _factors(adapter / ADAPTER)
    scale = _scale(config)
    shards = _shards(base)
    base_config = _json(base / "config.json")
    names = {name for shard in shards for name in _header(shard)[0]}
    targets = _targets(factors, names)
    if output.exists() and any(output.iterdir()):
        raise RecipeError(f"{output} exists and is not empty; choose another folder.")
    partial = output.with_name(f".{output.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        places: dict[str, str] = {}
        size = 0
        for number, shard in enumerate(shards, 1):
            tensors = _merged(shard, targets, factors, scale)
            _write(partial / shard.name, tensors)
            places |= dict.fromkeys(tensors, shard.name)
            size += sum(values.nbytes for _, values, _ in tensors.values())
            if progress is not None:
                progress(number, len(shards))
        notes = _copy_rest(base, partial, base_config, targets, places, size)
        if output.exists():
            output.rmdir()
        partial.rename(output)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return Merged(output, len(targets), len(shards), notes)


def _json(path: Path) -> dict[str, Any]:
    try:
        content = orjson.loads(path.read_bytes())
    except FileNotFoundError:
        raise RecipeError(f"{path.parent} has no {path.name}.") from None
    except (OSError, orjson.JSONDecodeError) as error:
        raise RecipeError(f"{path} cannot be read: {error}.") from None
    if not isinstance(content, dict):
        raise RecipeError(f"{path} is not a JSON object.")
    return content


def _scale(config: Mapping[str, Any]) -> float:
    if config.get("peft_type") != "LORA":
        raise RecipeError(
            f"The adapter is {config.get('peft_type')!r}; only LORA adapters are merged."
        )
    unsupported = [
        name
        for name in ("use_dora", "rank_pattern", "alpha_pattern", "fan_in_fan_out")
        if config.get(name)
    ]
    if unsupported:
        raise RecipeError(f"Adapters with {', '.join(unsupported)} are not merged.")
    rank, alpha = config.get("r"), config.get("lora_alpha")
    if not isinstance(rank, int) or rank < 1 or not isinstance(alpha, int | float):
        raise RecipeError(
            f"The adapter's r is {rank!r} and its lora_alpha {alpha!r}; they must be a positive integer and a number."
        )
    return float(alpha / (rank**0.5 if config.get("use_rslora") else rank))


def _factors(path: Path) -> dict[str, tuple[Array, Array]]:
    """The factors A [rank, inputs] and B [outputs, rank] of each adapted module."""
    if not path.exists():
        raise RecipeError(f"{path.parent} has no {path.name}.")
    found: dict[str, dict[str, Array]] = {}
    for name, stored in _tensors(path):
        match = _FACTOR.search(name)
        if match is None:
            if ".base_layer." in name:  # PEFT saves the frozen unembedding along
                continue
            raise RecipeError(f"{path}: {name} is not a factor of a LoRA adapter.")
        module = name[: match.start()].removeprefix(_PREFIX)
        found.setdefault(module, {})[match[1]] = _to_float32(stored, name)
    for module, pair in found.items():
        if pair.keys() != {"A", "B"}:
            raise RecipeError(f"{path}: {module} has only one of its two factors.")
    return {module: (pair["A"], pair["B"]) for module, pair in found.items()}


@frozen
class _Target:
    """Where a module of the adapter is added."""

    module: str
    source: str
    """Tensor of the base model."""
    name: str
    """Tensor of the merged model: another one where the base model ties its unembedding to its embedding."""


def _targets(factors: Mapping[str, tuple[Array, Array]], names: set[str]) -> dict[str, _Target]:
    """What the adapter changes, by the tensor of the base model."""
    targets: dict[str, _Target] = {}
    missing = []
    for module in factors:
        if module.rpartition(".")[2] in _UNEMBEDDINGS:
            name = "lm_head.weight"
            tied = (n for n in sorted(names) if n.endswith("embed_tokens.weight"))
            source = name if name in names else next(tied, None)
        else:
            name = f"{module}.weight"
            source = name if name in names else None
        if source is None:
            missing.append(module)
        else:
            targets[source] = _Target(module, source, name)
    if missing:
        raise RecipeError(
            f"The base model has no weights for {len(missing)} modules of the adapter, such as {missing[0]}: "
            "is it the model that the adapter was trained on?"
        )
    return targets


def _shards(base: Path) -> list[Path]:
    if (base / _INDEX).exists():
        places = _json(base / _INDEX).get("weight_map")
        if not isinstance(places, dict):
            raise RecipeError(
                f"{base / _INDEX} has no weight_map, which says where each tensor is."
            )
        shards = [base / name for name in sorted(set(places.values()))]
    else:
        shards = sorted(base.glob("*.safetensors"))
    if not shards:
        raise RecipeError(f"{base} has no safetensors files; a base model in that form is needed.")
    for shard in shards:
        if not shard.exists():
            raise RecipeError(f"{base} is incomplete: {shard.name} is missing.")
    return shards


Stored = tuple[str, npt.NDArray[Any], list[int]]
"""A tensor's dtype as safetensors names it, its bytes (or values), and its shape."""


def _header(path: Path) -> tuple[dict[str, Any], int]:
    """The tensors of a safetensors file, and where their bytes begin."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            # Files of other kinds, such as a pointer of Git LFS, begin with any number.
            header = orjson.loads(file.read(min(length, path.stat().st_size)))
    except (OSError, orjson.JSONDecodeError) as error:
        raise RecipeError(f"{path} is not a safetensors file: {error}.") from None
    if not isinstance(header, dict):
        raise RecipeError(f"{path} is not a safetensors file: its header is not a JSON object.")
    header.pop("__metadata__", None)
    return header, 8 + length


def _tensors(path: Path) -> Iterator[tuple[str, Stored]]:
    """The tensors of a file, mapped and not read, so that their size does not matter."""
    header, start = _header(path)
    content = np.memmap(path, dtype=np.uint8, mode="r")
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        if start + end > len(content):
            raise RecipeError(f"{path} is incomplete: it ends before {name} does.")
        yield name, (entry["dtype"], content[start + begin : start + end], entry["shape"])


def _to_float32(stored: Stored, place: str) -> Array:
    dtype, content, shape = stored
    if dtype == "BF16":  # the upper half of a float32
        values = (content.view("<u2").astype(np.uint32) << 16).view(np.float32)
    elif dtype in ("F16", "F32", "F64"):
        values = content.view(f"<f{int(dtype[1:]) // 8}").astype(np.float32)
    else:
        raise RecipeError(f"{place} is stored as {dtype}; only float tensors are merged.")
    return values.reshape(shape)


def _from_float32(values: Array, dtype: str) -> npt.NDArray[Any]:
    if dtype == "BF16":
        bits = values.view(np.uint32)
        rounded = bits + 0x7FFF + ((bits >> 16) & 1)  # to nearest, ties to even
        return (rounded >> 16).astype(np.uint16)
    return values.astype(f"<f{int(dtype[1:]) // 8}")


def _merged(
    shard: Path,
    targets: Mapping[str, _Target],
    factors: Mapping[str, tuple[Array, Array]],
    scale: float,
) -> dict[str, Stored]:
    """The tensors of a shard of the merged model."""
    merged: dict[str, Stored] = {}
    for name, stored in _tensors(shard):
        target = targets.get(name)
        if target is None or target.name != name:
            merged[name] = stored
        if target is None:
            continue
        dtype, _, shape = stored
        a, b = factors[target.module]
        if [b.shape[0], a.shape[1]] != shape:
            raise RecipeError(
                f"{name} of the base model is {shape}; the adapter changes {[b.shape[0], a.shape[1]]}."
            )
        values = _to_float32(stored, name) + scale * (b @ a)
        merged[target.name] = (dtype, _from_float32(values, dtype), shape)
    return merged


def _write(path: Path, tensors: Mapping[str, Stored]) -> None:
    try:
        from safetensors import TensorSpec, serialize_file  # noqa: PLC0415  # optional
    except ModuleNotFoundError as error:
        raise missing_extra("merging", error, "local") from None
    for name, (dtype, _, _) in tensors.items():
        if dtype not in _NAMES:
            raise RecipeError(
                f"{name} is stored as {dtype}; models with such tensors are not merged."
            )
    specs = {
        name: TensorSpec(
            dtype=_NAMES[dtype], shape=shape, data_ptr=values.ctypes.data, data_len=values.nbytes
        )
        for name, (dtype, values, shape) in tensors.items()
    }
    serialize_file(specs, path, {"format": "pt"})


def _copy_rest(
    base: Path,
    output: Path,
    config: dict[str, Any],
    targets: Mapping[str, _Target],
    places: Mapping[str, str],
    size: int,
) -> list[str]:
    """Copy what is not weights: configuration, tokenizer, licence."""
    notes = []
    for file in base.iterdir():
        if file.is_file() and file.suffix not in (".safetensors", ".bin", ".pt", ".gguf"):
            shutil.copyfile(file, output / file.name)
    if any(target.name != target.source for target in targets.values()):
        config = {**config, "tie_word_embeddings": False}
        (output / "config.json").write_bytes(orjson.dumps(config, option=orjson.OPT_INDENT_2))
        notes.append(
            "The base model ties its unembedding to its embedding; in the merged model they are two tensors."
        )
    if (base / _INDEX).exists():
        index = {"metadata": {"total_size": size}, "weight_map": places}
        (output / _INDEX).write_bytes(orjson.dumps(index, option=orjson.OPT_INDENT_2))
    return notes


# ---- what vLLM takes ------------------------------------------------------------------------


def for_vllm(adapter: str | Path) -> list[str]:
    """Change a PEFT folder so that plain vLLM loads it, and say what was changed.

    vLLM refuses adapters of the unembedding: its factors are left out.
    """
    adapter = Path(adapter)
    config = _json(adapter / ADAPTER_CONFIG)
    kept, left_out = {}, []
    for name, stored in _tensors(adapter / ADAPTER):
        match = _FACTOR.search(name)
        module = name[: match.start()] if match else name.partition(".base_layer.")[0]
        if module.rpartition(".")[2] in _UNEMBEDDINGS:
            left_out.append(module.removeprefix(_PREFIX))
        else:
            kept[name] = stored
    if not left_out:
        return []
    replacement = adapter / f".{ADAPTER}"
    _write(replacement, kept)
    replacement.replace(adapter / ADAPTER)
    modules = config.get("target_modules")
    if isinstance(modules, list):
        config["target_modules"] = [name for name in modules if name not in _UNEMBEDDINGS]
    (adapter / ADAPTER_CONFIG).write_bytes(orjson.dumps(config, option=orjson.OPT_INDENT_2))
    return [
        f"{', '.join(sorted(set(left_out)))} was left out: vLLM takes no adapter of the unembedding. "
        "Merge the adapter into its base model to keep it."
    ]
