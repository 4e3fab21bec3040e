"""Much at once, and long: afterwards the client holds what it held before. The long forms are in `make faults-deep`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.load_client import CHUNKS
from tests.support.sampling_server import SamplingServer

DEEP = bool(os.environ.get("FAULTS_DEEP"))
MAX_CONNECTIONS = 130
"""As many requests are sent at once, at most, and kept when idle: 64 of samples, 64 of results, and what a session needs."""

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="measures by /proc")


@contextmanager
def client(repository: Path, scenario: str, url: str, count: int) -> Iterator[subprocess.Popen[str]]:  # fmt: skip
    command = [sys.executable, "-m", "tests.support.load_client", scenario, url, str(count)]
    with subprocess.Popen(
        command, cwd=repository, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
    assert process.returncode == 0


def figures(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    found: dict[str, Any] = json.loads(process.stdout.readline())
    print(json.dumps(found, indent=2))  # pytest -s shows it
    return found


def check_flat(found: dict[str, Any], operations: int) -> None:
    """Nothing that grows with the operations is left."""
    before, after, closed, start = (found[name] for name in ("before", "after", "closed", "start"))
    # One object kept of every second operation would be found; the rest is room for caches.
    assert after["blocks"] - before["blocks"] < operations / 2 + 1500
    assert after["MB"] - before["MB"] < 10 + before["MB"] / 10
    assert after["tasks"] <= before["tasks"] + 1
    assert after["threads"] == before["threads"]
    assert after["files"] <= before["files"] + 10
    assert found["peak"]["files"] <= start["files"] + MAX_CONNECTIONS
    assert closed["tasks"] == 0
    assert closed["files"] <= start["files"]
    assert closed["threads"] == start["threads"]


@pytest.fixture
def bench_server(repository: Path) -> Iterator[str]:
    """A process that computes nothing, so that it is the client that works."""
    with subprocess.Popen(
        [sys.executable, "benchmarks/server.py"], cwd=repository,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        httpx.post(f"{url}/bench/knobs", json={"tokens": 4})
        yield url
        process.stdin.close()


@pytest.mark.parametrize("count", [10_000 if DEEP else 600])
def test_pending_samples(repository: Path, count: int) -> None:
    with SamplingServer(feed=True, per_tick=0) as server:
        with client(repository, "samples", server.url, count) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            say, heard = process.stdin, process.stdout

            def go_on() -> None:
                say.write("go on\n")
                say.flush()

            total = 0
            for part in (count, count):
                total += part
                assert heard.readline() == "submitted\n"
                server.wait_until(lambda part=part: len(server.unfinished) == part, timeout=300)
                go_on()
                assert heard.readline() == "measured\n"
                server.finish(part)
                assert heard.readline() == "done\n"
                server.wait_until(lambda total=total: len(server.acknowledged) == total)
                go_on()
            found = figures(process)
        assert len(server.sampled) == total  # each once
        assert server.peak_connections <= MAX_CONNECTIONS
    check_flat(found, count)
    assert found["peak"]["tasks"] >= count  # all of them were pending


@pytest.mark.parametrize("count", [1_000 if DEEP else 20])
def test_steps_of_many_chunks(repository: Path, bench_server: str, count: int) -> None:
    with client(repository, "steps", bench_server, count) as process:
        found = figures(process)
    done = max(count // 10, 4) + count
    assert found["operations"] == {"create_model": 1, "forward_backward": done, "optim_step": done}
    assert found["requests"]["forward_backward"] == CHUNKS * done
    assert found["requests"]["optim_step"] == done
    check_flat(found, count * (CHUNKS + 1))


@pytest.mark.parametrize("count", [64 if DEEP else 8])
def test_many_clients(repository: Path, bench_server: str, count: int) -> None:
    with client(repository, "clients", bench_server, count) as process:
        found = figures(process)
    check_flat(found, count)
