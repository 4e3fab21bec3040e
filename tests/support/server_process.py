"""`python -m tinker_local` as a process of its own, which can be killed."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Self


class ServerProcess:
    """A running server; the constructor returns when it is ready."""

    def __init__(self, data: Path, *arguments: str, port: int = 0) -> None:
        self.log = data.with_suffix(".log")
        with self.log.open("a") as stderr:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    *("-m", "tinker_local", "--data", str(data), "--port", str(port)),
                    *arguments,
                ],
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("ready http://"), (line, self.log.read_text())
        self.url = line.split()[1]
        self.port = int(self.url.rpartition(":")[2])

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def stop(self, number: signal.Signals = signal.SIGTERM, seconds: float = 10) -> int:
        """Ask it to stop; its exit code."""
        self.process.send_signal(number)
        return self.process.wait(seconds)

    def rest_of_stdout(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.read()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
