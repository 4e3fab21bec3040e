"""Checkpoint files: safetensors, one a checkpoint, written whole or not at all.

    <folder>/<training run>/<kind>/<name>/adapter_model.safetensors    weights, and the optimizer's moments
                                          adapter_config.json         what they are, as PEFT writes it

The file's header says what it is, so that a file copied elsewhere can still be read.
"""

from __future__ import annotations

import json
import re
import shutil
import tarfile
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import numpy as np
import numpy.typing as npt
from attrs import asdict, frozen
from safetensors import safe_open
from safetensors.numpy import save_file

from tinker_local.engine.base import Adapter, LoraSpec, Tensors

KINDS = ("weights", "sampler_weights", "external_weights")
_PATH = re.compile(
    r"tinker://([^/]+)/(weights|sampler_weights|external_weights)/([A-Za-z0-9_][A-Za-z0-9_.-]*)"
)
_GROUPS = ("weights", "moments")
_WEIGHTS = "adapter_model.safetensors"
_CONFIG = "adapter_config.json"
_TAR = "archive.tar"
"""Made when it is first asked for; not a file of the checkpoint itself."""
_PARTIAL = ".partial"
_EPOCH = 1767225600
"""The time of all files in an archive, so that the same checkpoint is always the same bytes."""


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
        for left_behind in folder.glob(f"*/*/*/*{_PARTIAL}"):  # by a process that was killed
            left_behind.unlink()

    def folder(self, location: Location) -> Path:
        # A model's id has colons, which not every file system takes; quoting keeps it one segment.
        run = quote(location.model_id, safe="")
        if run.strip(".") == "" or location.name.strip(".") == "" or "/" in location.name:
            raise ValueError(f"{location.path} leads out of the checkpoint folder")
        return self._folder / run / location.kind / location.name

    def file(self, location: Location) -> Path:
        return self.folder(location) / _WEIGHTS

    def locations(self) -> list[Location]:
        """What there are files of."""
        folders = [path for kind in KINDS for path in self._folder.glob(f"*/{kind}/*")]
        return [Location(unquote(p.parent.parent.name), p.parent.name, p.name) for p in folders]

    def files(self, location: Location) -> dict[str, Path]:
        """The files of a checkpoint by name."""
        folder = self.folder(location)
        return {name: folder / name for name in (_CONFIG, _WEIGHTS) if (folder / name).exists()}

    def archive(self, location: Location) -> Path:
        """A tar of the files, the same bytes whenever it is made."""
        target = self.folder(location) / _TAR
        if not target.exists():
            partial = target.with_name(f"{_TAR}{_PARTIAL}")
            with tarfile.open(partial, "w", format=tarfile.USTAR_FORMAT) as tar:
                for name, path in self.files(location).items():
                    entry = tarfile.TarInfo(name)
                    entry.size, entry.mtime, entry.mode = path.stat().st_size, _EPOCH, 0o644
                    with path.open("rb") as content:
                        tar.addfile(entry, content)
            partial.replace(target)
        return target

    def copy(self, source: Location, target: Location) -> None:
        folder = self.folder(target)
        folder.mkdir(parents=True, exist_ok=True)
        for name, path in self.files(source).items():
            partial = folder / f"{name}{_PARTIAL}"
            shutil.copyfile(path, partial)
            partial.replace(folder / name)

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
        # An older checkpoint of the name may have been archived.
        (target.parent / _TAR).unlink(missing_ok=True)
        _replace(target.parent / _CONFIG, json.dumps(_peft(adapter), indent=2).encode())
        partial = target.with_name(f"{_WEIGHTS}{_PARTIAL}")
        save_file(tensors, partial, metadata=header)
        partial.replace(target)
        return sum(file.stat().st_size for file in self.files(location).values())

    def delete(self, location: Location) -> None:
        """Delete a checkpoint, if it is there."""
        shutil.rmtree(self.folder(location), ignore_errors=True)

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


def _replace(target: Path, content: bytes) -> None:
    partial = target.with_name(f"{target.name}{_PARTIAL}")
    partial.write_bytes(content)
    partial.replace(target)


def _peft(adapter: Adapter) -> dict[str, Any]:
    """What PEFT's adapter_config.json says of a LoRA adapter."""
    lora = adapter.lora
    parts = {"attn": lora.train_attn, "mlp": lora.train_mlp, "unembed": lora.train_unembed}
    return {
        "peft_type": "LORA",
        "base_model_name_or_path": adapter.base_model,
        "r": lora.rank,
        "target_modules": [name for name, trained in parts.items() if trained],
    }
