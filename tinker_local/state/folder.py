"""The data folder of a server; only one server at a time can use it."""

from __future__ import annotations

from pathlib import Path

from filelock import FileLock, Timeout

DATABASE = "state.sqlite"
CHECKPOINTS = "checkpoints"
_LOCK = "lock"
_OWN = {
    _LOCK,
    DATABASE,
    CHECKPOINTS,
    "adapters",
    "not-adopted",
    "secret",
    "secret.partial",
    "traces",
}


class DataFolderError(RuntimeError):
    """The folder cannot be used."""


class DataFolderInUse(DataFolderError):
    """Another server uses the folder."""


class DataFolder:
    """A folder that only one server at a time can use.

    Args:
        adopt: Take over checkpoints that no database knows.

    Raises:
        DataFolderInUse: Another server uses it.
        DataFolderError: Its content is not a server's.
        OSError: It cannot be created or written to.
    """

    def __init__(self, path: Path, *, adopt: bool = False) -> None:
        self.path = path
        self.adopt = adopt
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=0o700, exist_ok=True)
        file = path / DATABASE
        if not file.exists() or file.stat().st_size == 0:
            self.check_new()
        self._lock = FileLock(path / _LOCK, thread_local=False)  # any thread may release it
        try:
            self._lock.acquire(blocking=False)
        except Timeout:
            raise DataFolderInUse(f"{path} is used by another server") from None

    def check_new(self) -> None:
        """Reject a folder without a database that contains something else."""
        foreign = sorted(
            one.name
            for one in self.path.iterdir()
            if one.name not in _OWN and not one.name.startswith(f"{DATABASE}-")
        )
        if foreign:
            raise DataFolderError(
                f"{self.path} is not a data folder of this server, and not empty (it has {foreign[0]}): "
                "choose another folder"
            )
        if not self.adopt and any((self.path / CHECKPOINTS).glob("*")):
            raise DataFolderError(
                f"{self.path} has checkpoints, but its database is missing: adopt the checkpoints (--adopt), or "
                "choose another folder"
            )

    def release(self) -> None:
        self._lock.release()
