"""The `tinker` command as a process, and in a terminal."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
from attrs import frozen

COMMAND = [sys.executable, "-m", "tinker.cli"]


@frozen
class Ended:
    """How a command ended."""

    status: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        return orjson.loads(self.stdout)


def environment(url: str, home: Path, **more: str) -> dict[str, str]:
    """An environment with nothing of this machine's user in it."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in ("PATH", "LANG", "PYTHONPATH")
        or name.startswith("COVERAGE_")  # which measures it
    }
    return {
        **kept,
        "HOME": str(home),
        "TINKER_BASE_URL": url,
        "PYTHONWARNINGS": "error::ResourceWarning",
        **more,
    }


class Cli:
    """Runs commands against one server, in one folder."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder = url, folder

    def __call__(
        self, *arguments: str, stdin: str | None = None, env: Mapping[str, str] | None = None
    ) -> Ended:
        done = subprocess.run(
            [*COMMAND, *arguments],
            input=stdin if stdin is not None else "",
            capture_output=True,
            text=True,
            cwd=self.folder,
            env=environment(self.url, self.folder, **(env or {})),
            timeout=110,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return Ended(done.returncode, done.stdout, done.stderr)

    def ok(self, *arguments: str, stdin: str | None = None) -> Ended:
        ended = self(*arguments, stdin=stdin)
        assert ended.status == 0, ended.stderr
        return ended

    def in_terminal(self, *arguments: str, columns: int = 80, typed: str = "") -> tuple[int, str]:
        """Run a command in a terminal of a width; returns its status and all that it printed there."""
        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(self.folder)
            os.execve(
                COMMAND[0],
                [*COMMAND, *arguments],
                environment(self.url, self.folder, TERM="xterm-256color"),
            )
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        os.write(terminal, typed.encode())
        printed = bytearray()
        with contextlib.suppress(OSError):  # the other end was closed
            while part := os.read(terminal, 65536):
                printed += part
        os.close(terminal)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), printed.decode(errors="replace")
