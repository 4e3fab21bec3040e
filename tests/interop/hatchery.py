"""Hatchery's server with a worker on the CPU: see `hatchery_main.py`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import installed

KEY = "tml-interop"
VERSION = "0.3.0"
REQUIREMENTS = [
    "hatchery-client==0.2.0",
    "fastapi",
    "uvicorn[standard]",
    "pydantic",
    "msgpack",
    "aiosqlite",
    "structlog",
    "httpx",
    "transformers",
    "peft",
]


def install() -> Path:
    # They say that they need Python 3.12; they run on 3.11.
    anyway = ["--ignore-requires-python"]
    return installed.environment(
        f"hatchery-{VERSION}",
        [
            ["torch==2.13.0"],
            [*anyway, *REQUIREMENTS],
            [*anyway, "--no-deps", f"hatchery-core=={VERSION}"],
        ],
    )


@contextlib.contextmanager
def running() -> Iterator[str]:
    """A server on a port of this machine, ended with the block."""
    python = install() / "bin" / "python"
    work = installed.work_folder(f"hatchery-{VERSION}", python)
    port = installed.free_port()
    command = [python, installed.HERE / "hatchery_main.py", str(port), installed.MODEL, KEY]
    with installed.running(command, port, work, {}) as url:
        yield url
