"""SkyRL's server, by its names of then and now: `skyrl-tx` 0.3.0, `skyrl` 0.3.0 and 0.4.0."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.interop import installed

# aiohttp, datasets and more are imported by the server, but not among what it says it requires.
REQUIREMENTS = [
    "uv",
    "aiohttp",
    "datasets",
    "pillow",
    "rich",
    "safetensors",
    "tokenizers",
    "typer",
    "peft",
    "hf_transfer",
    "cloudpathlib",
    "fastapi[standard]",
    "sqlmodel",
    "sqlalchemy[asyncio]",
    "aiosqlite",
    "asyncpg",
    "psycopg2-binary",
    "jax",
    "flax",
    "optax",
    "psutil",
    "httpx",
    "transformers",
    "tinker",
    "zstandard",
    "xxhash",
]
# Below Python 3.12 pydantic refuses the standard library's TypedDict, which the server uses.
BACKPORT = "import typing, typing_extensions; typing.TypedDict = typing_extensions.TypedDict\n"


def install(package: str, version: str) -> Path:
    generation = "0.3.0" if package == "skyrl-tx" else version
    constraints = installed.HERE / f"skyrl-{generation}-constraints.txt"
    environment = installed.environment(
        f"{package}-{version}",
        [
            ["torch==2.13.0"],
            ["-c", constraints, *REQUIREMENTS],
            # Says that it needs Python 3.12; runs on 3.11.
            ["--no-deps", "--ignore-requires-python", f"{package}=={version}"],
        ],
    )
    if sys.version_info < (3, 12):
        (installed.site_packages(environment) / "typeddict_backport.pth").write_text(BACKPORT)
    return environment


@contextlib.contextmanager
def running(package: str, version: str) -> Iterator[str]:
    """A server of this version on a port of this machine, ended with the block."""
    environment = install(package, version)
    work = installed.work_folder(f"{package}-{version}", environment / "bin" / "python")
    for database in work.glob("server.db*"):
        database.unlink()
    options = {
        "max_lora_adapters": 8,
        "max_lora_rank": 32,
        "train_micro_batch_size": 4,
        "sample_max_num_sequences": 4,
    }
    module = "tx.tinker.api" if package == "skyrl-tx" else "skyrl.tinker.api"
    port = installed.free_port()
    # It reads the command line of its parent, `uv run …`, and starts its engine likewise.
    command = [
        *("uv", "run", "--no-project", "--active", "-m", module),
        *("--host", "127.0.0.1", "--port", str(port)),
        *("--base-model", installed.MODEL, "--backend", "jax"),
        *("--backend-config", json.dumps(options), "--checkpoints-base", str(work / "checkpoints")),
        *("--database-url", f"sqlite:///{work / 'server.db'}"),
    ]
    variables = {
        "VIRTUAL_ENV": str(environment),
        "PATH": f"{environment / 'bin'}:{os.environ['PATH']}",
        "JAX_PLATFORMS": "cpu",
        "UV_OFFLINE": "1",
        "UV_NO_PROJECT": "1",  # older ones start their engine without the flags of their parent
        "UV_PYTHON_DOWNLOADS": "never",
    }
    with installed.running(command, port, work, variables) as url:
        yield url
