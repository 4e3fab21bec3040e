"""docs/faults.md shows the matrix as it is; `make fault-table` writes it."""

from __future__ import annotations

from pathlib import Path

from tests.support import fault_table
from tests.support.fault_proxy import FAULTS


def test_the_table_is_that_of_the_matrix(repository: Path) -> None:
    text = (repository / "docs" / "faults.md").read_text(encoding="utf-8")
    assert fault_table.page(text) == text, "run `make fault-table`"
    described = {(fault_table.described(fault), fault.sent) for fault in FAULTS.values()}
    assert len(described) == len(FAULTS)  # no two rows look alike
