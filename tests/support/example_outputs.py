"""Run the examples and write what they print into examples/README.md.

python -m tests.support.example_outputs
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"
HEADING = "## What they print\n"


def output(name: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, EXAMPLES / name],
            cwd=folder, env={**os.environ, "COLUMNS": "120"},
            stdout=subprocess.PIPE, text=True, check=True,
        )  # fmt: skip
    lines = (line.rstrip() for line in done.stdout.splitlines())
    return "\n".join(line for line in lines if line)


def main() -> None:
    page = EXAMPLES / "README.md"
    above, _, _ = page.read_text(encoding="utf-8").partition(HEADING)
    outputs = {
        path.name: output(path.name)
        for path in sorted(EXAMPLES.glob("*.py"))
        if "demo" not in path.name
    }
    parts = [
        above + HEADING,
        "On the small model of the embedded server, which has random weights at first.\n",
        *(
            f"`python examples/{name}`\n\n```text\n{printed}\n```\n"
            for name, printed in outputs.items()
        ),
    ]
    page.write_text("\n".join(parts), encoding="utf-8")


if __name__ == "__main__":
    main()
