"""Install and start a SkyRL server of one version, each in an environment of its own under .cache/interop."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
CACHE = HERE.parent.parent / ".cache" / "interop"
MODEL = "tiny/qwen3-random"
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


def install(version: str) -> Path:
    """The environment with this version in it; takes minutes the first time."""
    environment = CACHE / f"skyrl-{version}"
    done = environment / ".complete"
    if done.exists():
        return environment
    subprocess.run([sys.executable, "-m", "venv", "--clear", environment], check=True)
    pip = [environment / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "torch==2.13.0"], check=True)
    constraints = HERE / f"skyrl-{version}-constraints.txt"
    subprocess.run([*pip, "-c", constraints, *REQUIREMENTS], check=True)
    # Says that it needs Python 3.12; runs on 3.11.
    subprocess.run([*pip, "--no-deps", "--ignore-requires-python", f"skyrl=={version}"], check=True)
    if sys.version_info < (3, 12):
        (site,) = environment.glob("lib/python*/site-packages")
        (site / "typeddict_backport.pth").write_text(BACKPORT)
    done.touch()
    return environment


@contextlib.contextmanager
def running(version: str, port: int) -> Iterator[str]:
    """A server of this version on a port of this machine, ended with the block."""
    environment = install(version)
    work = CACHE / f"work-{version}"
    work.mkdir(exist_ok=True)
    python = environment / "bin" / "python"
    if not (work / MODEL / "config.json").exists():
        subprocess.run([python, HERE / "tiny_model.py", work / MODEL], check=True)
    for database in work.glob("server.db*"):
        database.unlink()
    options = {
        "max_lora_adapters": 8,
        "max_lora_rank": 32,
        "train_micro_batch_size": 4,
        "sample_max_num_sequences": 4,
    }
    # It reads the command line of its parent, `uv run …`, and starts its engine likewise.
    command = [
        *("uv", "run", "--no-project", "--active", "-m", "skyrl.tinker.api"),
        *("--host", "127.0.0.1", "--port", str(port), "--base-model", MODEL, "--backend", "jax"),
        *("--backend-config", json.dumps(options), "--checkpoints-base", str(work / "checkpoints")),
        *("--database-url", f"sqlite:///{work / 'server.db'}"),
    ]
    variables = {
        **os.environ,
        "VIRTUAL_ENV": str(environment),
        "PATH": f"{environment / 'bin'}:{os.environ['PATH']}",
        "JAX_PLATFORMS": "cpu",
        "HF_HUB_OFFLINE": "1",
        "UV_OFFLINE": "1",
        "UV_PYTHON_DOWNLOADS": "never",
        "no_proxy": "127.0.0.1",
    }
    variables.pop("PYTHONPATH", None)
    log = work / "server.log"
    with log.open("w") as output:
        server = subprocess.Popen(
            command, cwd=work, env=variables, stdout=output, stderr=output, start_new_session=True
        )
    try:
        _wait_until_up(server, port, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        # It has children of its own: the group is ours, begun with the session.
        os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)


def _wait_until_up(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(OSError, urllib.error.URLError):
            opener.open(f"http://127.0.0.1:{port}/api/v1/healthz", timeout=2)
            return
        time.sleep(1)
    raise RuntimeError(f"The server did not come up: {log.read_text()[-2000:]}")
