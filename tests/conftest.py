"""What all tests share: deterministic properties, embedded servers over a real socket, one line about what is skipped."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("default", deadline=None, derandomize=True)
settings.load_profile("default")

# Threads of BLAS and torch wait for each other by spinning. Workers and servers share the cores: one thread each.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

for name in list(os.environ):
    if name.startswith("TINKER_"):
        del os.environ[name]

# The servers of tests are on this machine: a user's proxy does not lead to them.
for name in ("no_proxy", "NO_PROXY"):
    os.environ[name] = ",".join(filter(None, [os.environ.get(name), "127.0.0.1,localhost,::1"]))

GROUPS = {
    "'torch'": "torch (make torch)",
    "official SDK": "official SDK (make official-sdk)",
    "tokenizers/fetch.py": "tokenizers of real models (make tokenizer-files)",
    "make typescript": "TypeScript (make typescript)",
    "make interop": "other projects' servers (make interop)",
}
"""Tests that need more than Python packages: by a part of the reason, and how to get what they need."""


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The base URL of an embedded server that tests share."""
    from tinker_local import LocalServer

    with LocalServer() as running:
        yield running.url


@pytest.fixture
def repository() -> Path:
    return Path(__file__).parent.parent


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say in one line which groups of tests were skipped and how to run them."""
    groups: Counter[str] = Counter()
    for report in terminalreporter.stats.get("skipped", []):
        reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
        known = [group for part, group in GROUPS.items() if part in reason]
        groups[known[0] if known else reason.removeprefix("Skipped: ")] += 1
    listed = [f"{count} tests of {group}" for group, count in groups.most_common()]
    if "not long" in terminalreporter.config.option.markexpr:
        listed.append("those that take long by nature (make test LONG=1)")
    if listed:
        terminalreporter.write_line(f"Skipped: {'; '.join(listed)}. make test-all runs them all.")
