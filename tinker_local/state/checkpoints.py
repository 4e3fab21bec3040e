"""Checkpoint files. Each save has its own folder, whose files never change:

    <training run>/<kind>/<name>/<save>/adapter_model.safetensors    the adapter, in PEFT's format
                                        adapter_config.json          its configuration, in PEFT's format
                                        optimizer.safetensors        moments; only in training checkpoints
                                        archive.tar                  created on first request

The store maps tinker paths to folders, and names each folder before anything is written to it and until it is deleted.
A folder that it names without a path is deleted at the next start, so a save or an overwrite takes effect completely
or not at all.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import shutil
import tarfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

from attrs import asdict, frozen
from safetensors import SafetensorError, safe_open

from tinker_local.engine.base import AdapterState, LoraSpec, Tensors
from tinker_local.state import encryption, peft, tensor_files

_PATH = re.compile(
    r"tinker://([^/]+)/(weights|sampler_weights|external_weights)/([A-Za-z0-9_][A-Za-z0-9_.-]*)"
)
WEIGHTS = "adapter_model.safetensors"
CONFIG = "adapter_config.json"
_OPTIMIZER = "optimizer.safetensors"
_ARCHIVE = "archive.tar"
_DELETED = ".deleted"
_EPOCH = 1767225600
"""Time stamp of all files in an archive, so that a checkpoint always gives the same bytes."""


@frozen
class Location:
    """The location that a tinker path names."""

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


class DamagedCheckpoint(ValueError):
    """A file was changed or cut short."""


class CheckpointFiles:
    """The files of one server. A `folder` is relative to theirs, as the store keeps it."""

    def __init__(self, root: Path, name: Callable[[str], None] = lambda folder: None) -> None:
        self._root = root
        self._name = name

    # ---- writing ----------------------------------------------------------------------------

    def write(
        self, location: Location, save: str, adapter: AdapterState, recipients: Sequence[str] = ()
    ) -> str:
        """Save an adapter, encrypted for the recipients if there are any; returns the folder.

        Repeating a `save` that could not be recorded starts over.
        """
        # One entry, because the order of several differs from one process to another.
        own = {"base_model": adapter.base_model, "alpha": adapter.alpha, **asdict(adapter.lora)}
        facts = {"adapter": json.dumps(own)}
        tensors: dict[str, tuple[Tensors, dict[str, str]]] = {
            WEIGHTS: (peft.tensors(adapter.weights), facts)
        }
        if location.kind == "weights":
            tensors[_OPTIMIZER] = adapter.moments, {"step": str(adapter.step)}
        folder = self._new_folder(location, save)
        with self._new_file(folder, CONFIG, recipients) as file:
            file.write(json.dumps(peft.config(adapter), indent=2).encode())
        for name, (content, metadata) in tensors.items():
            with self._new_file(folder, name, recipients) as file:
                tensor_files.write(file, content, metadata)
        return folder

    def copy(self, folder: str, location: Location) -> str:
        """The same files under another tinker path; returns their folder."""
        target = self._new_folder(location, uuid.uuid4().hex)
        try:
            for name, file in self.files(folder).items():
                with (
                    file.open("rb") as source,
                    tensor_files.durable(self._root / target / name) as made,
                ):
                    shutil.copyfileobj(source, made)
        except BaseException:
            self.delete(target)
            raise
        return target

    def rename(self, folder: str, save: str) -> str:
        """Rename a save; returns its folder."""
        renamed = f"{folder.rpartition('/')[0]}/{save}"
        (self._root / folder).rename(self._root / renamed)
        return renamed

    @contextlib.contextmanager
    def _new_file(self, folder: str, name: str, recipients: Sequence[str]) -> Iterator[BinaryIO]:
        """A file to write, which is encrypted for the recipients if there are any."""
        path = self._root / folder / name
        if not recipients:
            with tensor_files.durable(path) as file:
                yield file
            return
        plain = io.BytesIO()  # never on disk
        yield plain
        with tensor_files.durable(path.with_name(f"{name}.age")) as file:
            file.write(encryption.encrypted(plain.getvalue(), recipients))

    def _new_folder(self, location: Location, save: str) -> str:
        # A model's id has colons, which not every file system takes; quoting keeps it one segment.
        run = quote(location.model_id, safe="")
        if parse(location.path) != location or run.strip(".") == "":
            raise ValueError(f"{location.path} leads out of the checkpoint folder")
        folder = f"{run}/{location.kind}/{location.name}/{save}"
        self._name(folder)
        self.delete(folder)
        (self._root / folder).mkdir(parents=True)
        return folder

    # ---- reading ----------------------------------------------------------------------------

    def files(self, folder: str) -> dict[str, Path]:
        """The files of a checkpoint by name."""
        found = sorted((self._root / folder).glob("*"))
        return {file.name: file for file in found if not file.name.startswith(_ARCHIVE)}

    def is_encrypted(self, folder: str) -> bool:
        """Whether it is encrypted for recipients."""
        return (self._root / folder / f"{WEIGHTS}.age").exists()

    def size(self, folder: str) -> int:
        """Total size of the files in bytes."""
        return sum(file.stat().st_size for file in self.files(folder).values())

    def read(self, folder: str, *, with_moments: bool) -> AdapterState:
        """The adapter in a checkpoint.

        Raises:
            FileNotFoundError: It does not exist, or is encrypted.
            DamagedCheckpoint: A file was changed or cut short.
        """
        tensors, facts = read_tensors(self._root / folder / WEIGHTS)
        moments: Tensors = {}
        step = 0
        if with_moments:
            moments, optimizer = read_tensors(self._root / folder / _OPTIMIZER)
            step = int(optimizer["step"])
        lora = json.loads(facts["adapter"])
        return AdapterState(
            base_model=lora.pop("base_model"),
            alpha=lora.pop("alpha"),
            lora=LoraSpec(**lora),
            weights=peft.weights(tensors),
            moments=moments,
            step=step,
        )

    def archive(self, folder: str) -> Path:
        """A tar file of the files, with the same bytes every time."""
        target = self._root / folder / _ARCHIVE
        if not target.exists():
            # There may be two requests at a time.
            partial = target.with_name(f"{_ARCHIVE}.{uuid.uuid4().hex}")
            try:
                self._pack(folder, partial)
                partial.replace(target)
            except BaseException:
                partial.unlink(missing_ok=True)
                raise
        return target

    def _pack(self, folder: str, target: Path) -> None:
        with tarfile.open(target, "w", format=tarfile.USTAR_FORMAT) as tar:
            for name, path in self.files(folder).items():
                entry = tarfile.TarInfo(name)
                entry.size, entry.mtime, entry.mode = path.stat().st_size, _EPOCH, 0o644
                with path.open("rb") as content:
                    tar.addfile(entry, content)

    # ---- deleting ---------------------------------------------------------------------------

    def delete(self, folder: str) -> None:
        """Delete a checkpoint's files, if they are there."""
        path = self._root / folder
        # Rename first: an archive that is being written would keep the folder from being empty.
        away = path.with_name(f"{path.name}{_DELETED}")
        shutil.rmtree(away, ignore_errors=True)
        with contextlib.suppress(FileNotFoundError):
            path.rename(away)
        shutil.rmtree(away, ignore_errors=True)
        for parent in path.relative_to(self._root).parents[:-1]:
            try:
                (self._root / parent).rmdir()
            except OSError:  # not empty, or never there
                return

    def folders(self) -> list[str]:
        """All folders in the places of saves, except those that are being deleted."""
        return sorted(
            path.relative_to(self._root).as_posix()
            for path in self._root.glob("*/*/*/*")
            if not path.name.endswith(_DELETED)
        )


def read_tensors(file: Path) -> tuple[Tensors, dict[str, Any]]:
    """The tensors of a safetensors file, and its metadata.

    Raises:
        FileNotFoundError: It does not exist.
        DamagedCheckpoint: It cannot be read.
    """
    if not file.exists():
        raise FileNotFoundError(file)
    try:
        with safe_open(file, framework="numpy") as opened:
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118  # not a mapping
            return tensors, opened.metadata() or {}
    except TypeError as error:  # a data type that numpy does not have
        raise DamagedCheckpoint(
            f"{file.name} cannot be read: {error}; save it as float32"
        ) from None
    except (SafetensorError, OSError) as error:
        size = file.stat().st_size
        raise DamagedCheckpoint(
            f"{file.name} is damaged: it has {size} bytes and cannot be read ({error})"
        ) from None
