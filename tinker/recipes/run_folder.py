"""The folder of a training run: settings, metrics and checkpoints.

    config.json        the settings, the model, and what the data was
    metrics.jsonl      one object a step
    checkpoints.jsonl  one object a checkpoint, with its paths on the server
    loss.svg           the curve

The names and keys are those of tinker-cookbook, which other viewers read.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson
from attrs import NOTHING, asdict, fields, frozen

from tinker.recipes.errors import RecipeError

CONFIG, METRICS, CHECKPOINTS, CURVE = (
    "config.json",
    "metrics.jsonl",
    "checkpoints.jsonl",
    "loss.svg",
)


@frozen
class CheckpointRecord:
    """A row of checkpoints.jsonl."""

    name: str
    batch: int
    """Steps done when it was saved: a resumed run begins with this step."""
    epoch: int
    state_path: str
    """Weights and optimizer state, to train on from."""
    sampler_path: str | None = None
    """Weights to sample from."""
    eval_loss: float | None = None
    """Loss on the held-out rows at that step, in nats per token."""
    final: bool = False
    deleted: bool = False
    """Whether the run has deleted it on the server."""


class RunFolder:
    """A run's folder; files are replaced whole or grow by whole lines, so that a crash leaves it readable."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    @property
    def exists(self) -> bool:
        """Whether a run has begun here."""
        return (self.path / CONFIG).exists()

    def make(self) -> None:
        """Make the folder, for a run that is to begin in it.

        Raises:
            RecipeError: A run has begun here before, or the folder cannot be made or written to.
        """
        if self.exists:
            raise RecipeError(
                f"{self.path} already contains a run: continue it with `tinker train --resume {self.path}`, "
                "or choose another folder."
            )
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RecipeError(f"{self.path} cannot be created: {error.strerror}.") from None
        if not os.access(self.path, os.W_OK):
            raise RecipeError(f"{self.path} cannot be written to; choose another folder.")

    def create(self, config: Mapping[str, Any]) -> None:
        """Begin a run.

        Raises:
            RecipeError: See `make`.
        """
        self.make()
        self._replace(CONFIG, orjson.dumps(config, option=orjson.OPT_INDENT_2) + b"\n")

    def config(self) -> dict[str, Any]:
        """The settings the run began with.

        Raises:
            RecipeError: There is no run here, or the file is damaged.
        """
        try:
            config = orjson.loads((self.path / CONFIG).read_bytes())
        except FileNotFoundError:
            if not self.path.exists():
                raise RecipeError(f"{self.path} does not exist.") from None
            raise RecipeError(f"{self.path} does not contain a run: it has no {CONFIG}.") from None
        except orjson.JSONDecodeError as error:
            raise RecipeError(f"{self.path / CONFIG} is damaged: {error}.") from None
        if not isinstance(config, dict):
            raise RecipeError(f"{self.path / CONFIG} is damaged: it is not an object.")
        return config

    def metrics(self) -> list[dict[str, Any]]:
        return list(self._lines(METRICS))

    def add_metrics(self, row: Mapping[str, Any]) -> None:
        self._append(METRICS, row)

    def checkpoints(self) -> list[CheckpointRecord]:
        """All checkpoints, oldest first, each as it was last recorded.

        Raises:
            RecipeError: The file is damaged, or a checkpoint lacks a field.
        """
        names = {attribute.name for attribute in fields(CheckpointRecord)}
        required = {one.name for one in fields(CheckpointRecord) if one.default is NOTHING}
        records: dict[str, CheckpointRecord] = {}
        for row in self._lines(CHECKPOINTS):
            if missing := required - row.keys():
                raise RecipeError(
                    f"{self.path / CHECKPOINTS} has a checkpoint without {', '.join(sorted(missing))}."
                )
            record = CheckpointRecord(**{key: value for key, value in row.items() if key in names})
            records[record.name] = record
        return list(records.values())

    @property
    def present(self) -> list[CheckpointRecord]:
        """The checkpoints that the run has not deleted, oldest first."""
        return [record for record in self.checkpoints() if not record.deleted]

    @property
    def best(self) -> CheckpointRecord | None:
        """The checkpoint with the lowest held-out loss, if any was scored."""
        scored = [record for record in self.present if record.eval_loss is not None]
        return min(scored, key=lambda record: record.eval_loss or 0.0, default=None)

    @property
    def last(self) -> CheckpointRecord | None:
        """The final checkpoint, or the newest one."""
        return max(self.present, key=lambda record: (record.batch, record.final), default=None)

    def record(self, checkpoint: CheckpointRecord) -> None:
        """Add a checkpoint, or replace the one of that name."""
        records = {record.name: record for record in self.checkpoints()} | {
            checkpoint.name: checkpoint
        }
        content = b"".join(orjson.dumps(_row(record)) + b"\n" for record in records.values())
        self._replace(CHECKPOINTS, content)

    def forget_after(self, step: int) -> None:
        """Drop the metrics of steps that will be done again, as those after the last checkpoint."""
        kept = [row for row in self.metrics() if row.get("step", 0) < step]
        self._replace(METRICS, b"".join(orjson.dumps(row) + b"\n" for row in kept))

    def write(self, name: str, content: bytes) -> Path:
        """Write another file of the run."""
        self._replace(name, content)
        return self.path / name

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the folder, so that two processes do not continue the same run.

        Raises:
            RecipeError: Another process has locked it.
        """
        with self._writing(".lock"):
            lock = (self.path / ".lock").open("wb")
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise RecipeError(
                    f"{self.path} is in use by another process; wait for it or end it first."
                ) from None
            try:
                yield
            finally:  # closing is not enough while a forked process has the file open too
                fcntl.flock(lock, fcntl.LOCK_UN)

    def _lines(self, name: str) -> Iterator[dict[str, Any]]:
        try:
            content = (self.path / name).read_bytes()
        except FileNotFoundError:
            return
        lines = content.split(b"\n")
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = orjson.loads(line)
            except orjson.JSONDecodeError:
                if number == len(lines):  # cut short by a crash: the line is incomplete
                    return
                raise RecipeError(f"{self.path / name} is damaged on line {number}.") from None
            if isinstance(row, dict):
                yield row

    def _append(self, name: str, row: Mapping[str, Any]) -> None:
        with self._writing(name), (self.path / name).open("ab") as file:
            file.write(orjson.dumps(row) + b"\n")

    def _replace(self, name: str, content: bytes) -> None:
        with self._writing(name):
            descriptor, temporary = tempfile.mkstemp(dir=self.path, prefix=f".{name}-")
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                os.chmod(temporary, 0o644)
                os.replace(temporary, self.path / name)
            except BaseException:
                Path(temporary).unlink(missing_ok=True)
                raise

    @contextlib.contextmanager
    def _writing(self, name: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise RecipeError(f"{self.path / name} cannot be written: {error.strerror}.") from None


def _row(record: CheckpointRecord) -> dict[str, Any]:
    return {
        name: value
        for name, value in asdict(record).items()
        if value is not None and value is not False
    }
