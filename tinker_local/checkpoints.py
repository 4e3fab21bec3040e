"""Checkpoint files: safetensors, one a checkpoint, written whole or not at all.

    <folder>/<training run>/<weights|sampler_weights>/<name>/adapter.safetensors

The file's header says what it is, so that a file copied elsewhere can still be read.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import numpy.typing as npt
from attrs import asdict, frozen
from safetensors import safe_open
from safetensors.numpy import save_file

from tinker_local.engine.base import Adapter, LoraSpec, Tensors

KINDS = ("weights", "sampler_weights")
_PATH = re.compile(r"tinker://([^/]+)/(weights|sampler_weights)/([A-Za-z0-9_][A-Za-z0-9_.-]*)")
_GROUPS = ("weights", "moments")
_PARTIAL = "adapter.partial"


@frozen
class Location:
    """What a tinker path names."""

    model_id: str
    kind: str
    name: str

    @property
    def path(self) -> str:
        return f"tinker://{self.model_id}/{self.kind}/{self.name}"


def parse(path: str) -> Location | None:
    """The parts of a tinker path; None if it is not one."""
    match = _PATH.fullmatch(path)
    return Location(*match.groups()) if match else None


class CheckpointFiles:
    """The files of one server."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for left_behind in folder.glob(f"*/*/*/{_PARTIAL}"):  # by a process that was killed
            left_behind.unlink()

    def file(self, location: Location) -> Path:
        # A model's id has colons, which not every file system takes; quoting keeps it one segment.
        run = quote(location.model_id, safe="")
        return self._folder / run / location.kind / location.name / "adapter.safetensors"

    def write(self, location: Location, adapter: Adapter, *, with_moments: bool) -> int:
        """Write a checkpoint and return its size in bytes."""
        target = self.file(location)
        target.parent.mkdir(parents=True, exist_ok=True)
        groups = _GROUPS if with_moments else _GROUPS[:1]
        tensors = {
            f"{group}/{name}": np.ascontiguousarray(array)
            for group in groups
            for name, array in getattr(adapter, group).items()
        }
        header = {
            "base_model": adapter.base_model,
            "lora": json.dumps(asdict(adapter.lora)),
            "step": str(adapter.step),
        }
        partial = target.with_name(_PARTIAL)
        save_file(tensors, partial, metadata=header)
        partial.replace(target)
        return target.stat().st_size

    def delete(self, location: Location) -> None:
        """Delete a checkpoint, if it is there."""
        file = self.file(location)
        if file.exists():
            file.unlink()
            file.parent.rmdir()

    def read(self, location: Location, *, with_moments: bool) -> Adapter:
        """The adapter in a checkpoint.

        Raises:
            FileNotFoundError: There is none.
        """
        file = self.file(location)
        if not file.exists():
            raise FileNotFoundError(location.path)
        groups: dict[str, dict[str, npt.NDArray[np.float32]]] = {"weights": {}, "moments": {}}
        with safe_open(file, framework="numpy") as opened:
            header: dict[str, Any] = opened.metadata()
            for key in opened.keys():  # noqa: SIM118  # not a mapping
                group, name = key.split("/", 1)
                groups[group][name] = opened.get_tensor(key)
        moments: Tensors = groups["moments"] if with_moments else {}
        return Adapter(
            base_model=header["base_model"],
            lora=LoraSpec(**json.loads(header["lora"])),
            weights=groups["weights"],
            moments=moments,
            step=int(header["step"]) if moments else 0,
        )
