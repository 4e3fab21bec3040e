"""TuFT's server on the CPU; `tuft_main.py` says which of its parts are its own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from tests.interop import installed

KEY = "tml-interop"
VERSION = "0.2.2"
# What it requires, except vLLM and Ray, which need GPUs, and with the CPU build of torch.
REQUIREMENTS = [
    "accelerate",
    "fastapi>=0.133,<0.137",
    "httpx",
    "numpy",
    "nvidia-ml-py",
    "omegaconf",
    "opentelemetry-api",
    "opentelemetry-exporter-otlp",
    "opentelemetry-instrumentation-fastapi",
    "opentelemetry-instrumentation-logging",
    "opentelemetry-sdk",
    "peft==0.20.0",
    "protobuf",
    "psutil",
    "ray",
    "tinker==0.25.0",
    "transformers>=5.5.3,<6",
    "typer",
    "uvicorn[standard]",
    "zstandard",
]


def install() -> Path:
    return installed.environment(
        f"tuft-{VERSION}",
        [["torch==2.13.0"], REQUIREMENTS, ["--no-deps", f"tuft=={VERSION}"]],
    )


@contextlib.contextmanager
def running() -> Iterator[str]:
    """A server on a port of this machine, ended with the block."""
    python = install() / "bin" / "python"
    work = installed.work_folder(f"tuft-{VERSION}", python)
    port = installed.free_port()
    main = installed.HERE / "tuft_main.py"
    # Isolated: beside it is this module, which has the name of the server's package.
    command: list[str | Path] = [
        python,
        "-I",
        main,
        str(port),
        installed.MODEL,
        work / "checkpoints",
        KEY,
    ]
    with installed.running(command, port, work, {}) as url:
        yield url
