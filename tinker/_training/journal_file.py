"""Lines of JSON in a file that one process has open: each is appended whole, and what a crash has cut off is dropped."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import threading
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson

from tinker.errors import JournalError

Take = Callable[[str, Mapping[str, Any]], None]
"""Takes the kind of a line and its fields. Raises ValueError, TypeError or LookupError for one that cannot be."""


class JournalFile:
    """The open file of a journal. From any thread.

    Raises:
        JournalError: Another process or client has it open, or it is a device or a pipe.
        OSError: It cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lock = threading.RLock()
        self._size = 0
        self._descriptor = -1
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        if not stat.S_ISREG(os.fstat(self._descriptor).st_mode):
            self.close()
            raise JournalError(f"{path} is not a regular file: use another path for the journal.")
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.close()
            raise JournalError(
                f"{path} is in use by another process or client: end that one first, or use another file."
            ) from None
        _open.add(self)

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Let another process have it."""
        with self.lock:
            descriptor, self._descriptor = self._descriptor, -1
            if descriptor >= 0:
                os.close(descriptor)
        _open.discard(self)

    def read(self, take: Take, beginning: bytes) -> None:
        """Take every line; a last one that was not written whole is cut off.

        Args:
            take: Takes a line.
            beginning: What the first line of every journal begins with.

        Raises:
            JournalError: It is not a journal, or is damaged.
        """
        with open(self._descriptor, "rb", closefd=False) as file:
            content = file.read()
        whole = 0
        lines = content.splitlines(keepends=True)
        for number, line in enumerate(lines, 1):
            try:
                if not line.endswith(b"\n"):
                    raise ValueError("it has no end")
                ((kind, fields),) = orjson.loads(line).items()
                take(kind, fields)
            except (ValueError, TypeError, LookupError, AttributeError):
                may_be_cut = number > 1 or line.startswith(beginning[: len(line)])
                if number < len(lines) or not may_be_cut:
                    raise JournalError(
                        f"{self.path} is not a journal, or is damaged on line {number}."
                    ) from None
                break
            whole += len(line)
        if whole < len(content):
            os.ftruncate(self._descriptor, whole)
        self._size = whole

    def append(self, kind: str, **fields: Any) -> None:
        """Write a line, or nothing of it.

        Raises:
            JournalError: The file is closed.
            OSError: The line cannot be written.
        """
        line = orjson.dumps({kind: fields}) + b"\n"
        with self.lock:
            if self._descriptor < 0:
                raise JournalError(f"{self.path} is closed.")
            try:
                if os.write(self._descriptor, line) < len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
            except OSError:
                os.ftruncate(self._descriptor, self._size)  # of whole lines
                raise
            self._size += len(line)

    def sync(self) -> None:
        """Return when all lines are on disk."""
        os.fsync(self._descriptor)

    def sync_name(self) -> None:
        """Return when the file's name is on disk."""
        folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def close_after_fork(self) -> None:
        """In a forked process: the lock on the file is the parent's."""
        self.lock = threading.RLock()
        self.close()


_open: weakref.WeakSet[JournalFile] = weakref.WeakSet()


def _leave_to_the_parent() -> None:
    for file in tuple(_open):
        file.close_after_fork()


os.register_at_fork(after_in_child=_leave_to_the_parent)
