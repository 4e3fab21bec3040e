"""A folder that is deleted when the process ends, however it ends."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

_DELETE = """exec 3<&0; trap '' INT TERM HUP; (cat <&3; rm -rf -- "$0") >/dev/null 2>&1 &"""


class TemporaryFolder:
    """A temporary folder; deleted by `delete` or when the process ends, even by kill -9.

    A shell waits for the end of a pipe whose other end this process (and its forks) holds. The shell is detached, so a
    program that waits for its children does not wait for it.
    """

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp("-tinker"))
        self._alive: int | None
        read, self._alive = os.pipe()
        try:
            subprocess.run(  # noqa: S603  # nothing of the user's is in it
                ["/bin/sh", "-c", _DELETE, self.path],
                stdin=read,
                start_new_session=True,  # it must ignore Ctrl-C in the terminal
                check=False,
            )
        finally:
            os.close(read)

    def delete(self) -> None:
        """Delete it now."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._alive is not None:
            os.close(self._alive)
            self._alive = None
