"""Checks uploaded files, and makes a checkpoint's files from them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from attrs import asdict

from tinker_local.engine.base import AdapterState, EngineError, LoraSpec, Tensors
from tinker_local.errors import OperationFailed
from tinker_local.protocol.operations.outcome import Context, Outcome, json_outcome
from tinker_local.state import peft
from tinker_local.state.checkpoints import (
    CONFIG,
    WEIGHTS,
    DamagedCheckpoint,
    Location,
    read_tensors,
)

_SHOWN = 20
"""Maximum number of problems that are listed."""


def external_weights_upload_finish(
    context: Context, upload_id: str, body: Mapping[str, Any]
) -> Outcome:
    """The folder of the checkpoint's files; fails with a list of all problems."""
    folder = Path(body["folder"])
    spec = LoraSpec(**body["lora"])
    fresh = context.engine.save(context.engine.new_adapter(body["base_model"], spec))
    problems = [
        f"{name} was not uploaded" for name in (CONFIG, WEIGHTS) if not (folder / name).exists()
    ]
    alpha, weights = fresh.alpha, fresh.weights
    if (folder / CONFIG).exists():
        alpha = _alpha(folder / CONFIG, fresh, problems)
    if (folder / WEIGHTS).exists():
        weights = _weights(folder / WEIGHTS, fresh, problems)
    state = AdapterState(base_model=fresh.base_model, lora=fresh.lora, alpha=alpha, weights=weights)
    if not problems:
        try:
            context.engine.load(state)
        except EngineError as error:
            problems.append(str(error))
    if problems:
        more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        raise OperationFailed(f"The upload cannot be used: {'; '.join(problems[:_SHOWN])}{more}")
    made = context.catalog.files.write(Location(**body["location"]), body["save"], state)
    facts = {"base_model": state.base_model, "lora": asdict(state.lora), "user_metadata": None}
    return json_outcome({"folder": made, "facts": facts})


def _alpha(file: Path, fresh: AdapterState, problems: list[str]) -> float:
    """`lora_alpha` of adapter_config.json, or that of an adapter without `use_rslora` that computes the same."""
    try:
        config = json.loads(file.read_bytes())
    except ValueError:
        config = None
    if not isinstance(config, dict):
        problems.append(f"{CONFIG} is not a JSON object")
        return fresh.alpha
    for name, expected in (("peft_type", "LORA"), ("r", fresh.lora.rank)):
        if config.get(name) != expected:
            problems.append(f"{CONFIG}: {name} is {config.get(name)!r}, not {expected!r}")
    for name, plain in (("use_dora", False), ("bias", "none")):
        if config.get(name, plain) not in (plain, None):
            problems.append(f"{CONFIG}: {name} is {config[name]!r}; only {plain!r} can be used")
    unusable = ("rank_pattern", "alpha_pattern", "modules_to_save")
    problems += [f"{CONFIG}: {name} cannot be used" for name in unusable if config.get(name)]
    alpha = config.get("lora_alpha")
    if isinstance(alpha, bool) or not isinstance(alpha, int | float):
        problems.append(f"{CONFIG}: lora_alpha is {alpha!r}; it must be a number")
        return fresh.alpha
    return float(alpha) * (fresh.lora.rank**0.5 if config.get("use_rslora") else 1.0)


def _weights(file: Path, fresh: AdapterState, problems: list[str]) -> Tensors:
    """The tensors of adapter_model.safetensors, compared with those of a fresh adapter.

    Both factors of a matrix may be absent: the engine decides whether it takes an adapter of fewer matrices.
    """
    try:
        tensors, _ = read_tensors(file)
    except DamagedCheckpoint as error:
        problems.append(f"{WEIGHTS}: {error}")
        return fresh.weights
    expected = peft.tensors(fresh.weights)
    problems += [
        f"{WEIGHTS} does not contain {name} {list(expected[name].shape)}"
        for name in sorted(expected.keys() - tensors.keys())
        if _other_factor(name) in tensors
    ]
    problems += [
        f"{WEIGHTS} has {name}, which is not part of this adapter"
        for name in sorted(tensors.keys() - expected.keys())
    ]
    for name in sorted(tensors.keys() & expected.keys()):
        tensor, shape = tensors[name], expected[name].shape
        if tensor.shape != shape:
            problems.append(f"{WEIGHTS}: {name} has shape {list(tensor.shape)}, not {list(shape)}")
        elif not np.issubdtype(tensor.dtype, np.floating) or not np.isfinite(tensor).all():
            problems.append(f"{WEIGHTS}: {name} has values that are not finite numbers")
    return {name: np.asarray(tensor, np.float32) for name, tensor in peft.weights(tensors).items()}


def _other_factor(name: str) -> str:
    """The name of B's tensor for that of A's, and the other way round."""
    a, b = ".lora_A.", ".lora_B."
    return name.replace(a, b) if a in name else name.replace(b, a)
