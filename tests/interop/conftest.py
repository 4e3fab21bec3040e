"""Interoperation: this client with servers that others wrote. Run by `make interop`; skipped otherwise."""

from __future__ import annotations

import os

import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if os.environ.get("INTEROP"):
        return
    skip = pytest.mark.skip(reason="installs and starts other projects' servers: make interop")
    for item in items:
        if item.get_closest_marker("interop") and "tests/interop" in str(item.path):
            item.add_marker(skip)
