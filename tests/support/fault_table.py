"""The table of docs/faults.md: what the tests of `tests/faults/test_matrix.py` hold for each operation with each fault.

python -m tests.support.fault_table docs/faults.md
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.support.fault_proxy import FAULTS, PLACES, Fault

BEGIN, END = "<!-- made by `make fault-table` -->", "<!-- end of what is made -->"

_RESPONSES = {
    "bare": "an empty {}", "page": "a {} with an HTML page", "json": "a {} with JSON, as a server's own",
    "object": "a {} with `{{}}`", "list": "a {} with `[]`", "null": "a {} with `null`",
    "nothing": "a {} with an empty body", "garbage": "a {} with broken JSON", "other": "a {} with JSON of something else",
}  # fmt: skip
_ENDS = {"close": "the connection is closed", "reset": "the connection is reset"}


def described(fault: Fault) -> str:
    """What a caller meets, in words."""
    if fault.sent == 2:
        return "the request arrives twice"
    if fault.end == "cut":
        return "the response breaks off in the middle"
    if fault.end:
        return _ENDS[fault.end]
    status, _, what = fault.name.partition(" ")
    kind = what.removesuffix("after").removesuffix("before").strip() or "json"
    return _RESPONSES[kind].format(status)


def table() -> str:
    """Rows of faults, columns of operations."""
    operations = list(dict.fromkeys(operation for operation, _ in PLACES))
    lines = [
        ["fault", "the server gets it", *(f"`{name}`" for name in operations)],
        ["---", "---", *[":-:"] * len(operations)],
    ]
    for fault in FAULTS.values():
        times = ("no", "yes", "twice")[fault.sent]
        lines.append([described(fault), times, *map(fault.outcome, operations)])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def page(text: str) -> str:
    """The page with the table as it is now."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    combinations = (
        f"{len(FAULTS)} faults, {len(PLACES)} places, {len(FAULTS) * len(PLACES)} combinations."
    )
    return f"{before}{BEGIN}\n\n{combinations}\n\n{table()}\n\n{END}{after}"


if __name__ == "__main__":
    file = Path(sys.argv[1])
    file.write_text(page(file.read_text(encoding="utf-8")), encoding="utf-8")
