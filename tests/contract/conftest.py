"""The contract: the server answers as openapi.yaml says, and the generated client is what it gives."""

from __future__ import annotations

from pathlib import Path

import pytest


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """schemathesis takes seconds to say which tests it has: not where they are left out."""
    left_out = config.option.markexpr == "not long"
    return True if left_out and collection_path.name == "test_schemathesis.py" else None
