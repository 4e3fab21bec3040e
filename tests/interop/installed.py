"""Servers that others wrote, each in an environment of its own under .cache/interop."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

HERE = Path(__file__).parent
CACHE = HERE.parent.parent / ".cache" / "interop"
MODEL = "tiny/qwen3-random"


def environment(name: str, installs: Sequence[Sequence[str | Path]]) -> Path:
    """An environment made by these `pip install` lines, one after another; takes minutes the first time."""
    folder = CACHE / name
    done = folder / ".complete"
    if not done.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        pip: list[str | Path] = [
            folder / "bin" / "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ]
        for arguments in installs:
            subprocess.run([*pip, *arguments], check=True)
        done.touch()
    return folder


def site_packages(folder: Path) -> Path:
    (site,) = folder.glob("lib/python*/site-packages")
    return site


def work_folder(name: str, python: Path) -> Path:
    """A folder to run a server in, with the tiny model in it."""
    work = CACHE / f"work-{name}"
    work.mkdir(parents=True, exist_ok=True)
    if not (work / MODEL / "config.json").exists():
        subprocess.run([python, HERE / "tiny_model.py", work / MODEL], check=True)
    return work


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    return port


@contextlib.contextmanager
def running(
    command: Sequence[str | Path],
    port: int,
    work: Path,
    variables: Mapping[str, str],
    first: str = "/api/v1/healthz",
) -> Iterator[str]:
    """A server while the block runs; its address. It is up when it responds to a GET of `first`."""
    everything = {**os.environ, "HF_HUB_OFFLINE": "1", "no_proxy": "127.0.0.1", **variables}
    everything.pop("PYTHONPATH", None)
    log = work / "server.log"
    with log.open("w") as output:
        server = subprocess.Popen(
            command, cwd=work, env=everything, stdout=output, stderr=output, start_new_session=True
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_until_up(server, url + first, log)
        yield url
    finally:
        # It may have children of its own: the group is ours, begun with the session.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)


def _wait_until_up(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(OSError, urllib.error.URLError):
            opener.open(url, timeout=2)
            return
        time.sleep(1)
    raise RuntimeError(f"The server did not come up: {log.read_text()[-2000:]}")
