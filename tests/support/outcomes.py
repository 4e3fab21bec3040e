"""What a training program comes to, in a form in which two runs of it can be compared bit by bit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from safetensors import safe_open

import tinker


def datum(text: str) -> tinker.Datum:
    return tinker.Datum(tinker.ModelInput.from_ints(list(text.encode())))


def plain(value: Any) -> Any:
    """A result as plain values that compare bit by bit, without what names one session."""
    if isinstance(value, tinker.ForwardBackwardOutput):
        outputs = [
            {name: tensor.to_numpy().tobytes() for name, tensor in output.items()}
            for output in value.loss_fn_outputs
        ]
        return value.metrics, outputs
    if isinstance(value, tinker.SampleResponse):
        return [(sequence.tokens, sequence.logprobs) for sequence in value.sequences]
    path = getattr(value, "path", None)
    return path.rpartition(":train:")[2] if path else getattr(value, "metrics", None)


def checkpoint_files(
    data: Path, model_id: str | None = None
) -> Mapping[str, tuple[dict[str, str], dict[str, np.ndarray]]]:
    """Headers and tensors of all checkpoints in a server's folder, or of one run, by the end of their path."""
    found = {}
    for file in (data / "checkpoints").glob("*/*/*/*/*.safetensors"):
        run, kind, name, _, part = file.relative_to(data / "checkpoints").parts
        if model_id is not None and run != quote(model_id, safe=""):
            continue
        with safe_open(file, framework="numpy") as opened:
            tensors = {key: opened.get_tensor(key) for key in opened.keys()}  # noqa: SIM118
            key = f"{run.rpartition('%3A')[2]}/{kind}/{name}/{part}"
            assert key not in found, "a checkpoint has one folder"
            found[key] = opened.metadata(), tensors
    return found


def assert_equal_checkpoints(one: Path, other: Path) -> None:
    assert_equal_files(checkpoint_files(one), checkpoint_files(other))


def assert_equal_files(
    mine: Mapping[str, tuple[dict[str, str], dict[str, np.ndarray]]],
    theirs: Mapping[str, tuple[dict[str, str], dict[str, np.ndarray]]],
) -> None:
    """Bit by bit."""
    assert mine.keys() == theirs.keys()
    assert mine
    for name, (header, tensors) in mine.items():
        assert header == theirs[name][0]
        assert tensors.keys() == theirs[name][1].keys()
        for key, tensor in tensors.items():
            np.testing.assert_array_equal(tensor, theirs[name][1][key], strict=True)
