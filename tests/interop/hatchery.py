"""Hatchery's server with a worker on the CPU: see `hatchery_main.py`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from tests.interop import installed

KEY = "tml-interop"
VERSION = "0.3.0"
REQUIREMENTS = [
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
    # They say that they need Python 3.12; they run on 3.11. What they require has to be made for it.
    packages = ["hatchery-client==0.2.0", f"hatchery-core=={VERSION}"]
    return installed.environment(
        f"hatchery-{VERSION}",
        [
            ["torch==2.13.0"],
            REQUIREMENTS,
            ["--no-deps", "--ignore-requires-python", *packages],
        ],
    )


@contextlib.contextmanager
def running() -> Iterator[str]:
    """A server on a port of this machine, ended with the block."""
    python = install() / "bin" / "python"
    work = installed.work_folder(f"hatchery-{VERSION}", python)
    port = installed.free_port()
    # Isolated: beside it is this module, which has the name of the server's package.
    main = installed.HERE / "hatchery_main.py"
    command: list[str | Path] = [python, "-I", main, str(port), installed.MODEL, KEY]
    with installed.running(command, port, work, {}) as url:
        yield url
