"""Writes tinker/_lazy_names.py: which module defines each name that a package imports late.

    python codegen/lazy_names.py [--check]

The names are those that the package imports under `if TYPE_CHECKING:`, so that they are listed once.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

PACKAGES = ("tinker", "tinker.types")
TARGET = Path("tinker/_lazy_names.py")
HEADER = '''"""The module of each name that a package imports late. Made by codegen/lazy_names.py; not edited by hand."""

NAMES = {
'''


def homes(package: str) -> dict[str, str]:
    source = Path(package.replace(".", "/"), "__init__.py").read_text(encoding="utf-8")
    (block,) = (
        node
        for node in ast.parse(source).body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    found = {}
    for node in block.body:
        if not isinstance(node, ast.ImportFrom) or node.module is None or node.level:
            raise SystemExit(f"{package}:{node.lineno}: only `from module import name as name`")
        for alias in node.names:
            if alias.asname != alias.name:
                raise SystemExit(f"{package}:{node.lineno}: {alias.name} is not re-exported")
            is_module = node.module == package
            found[alias.name] = f"{node.module}.{alias.name}" if is_module else node.module
    return found


def content() -> str:
    lines = [HEADER]
    for package in PACKAGES:
        lines.append(f'    "{package}": {{\n')
        lines += [f'        "{name}": "{home}",\n' for name, home in sorted(homes(package).items())]
        lines.append("    },\n")
    return "".join([*lines, "}\n"])


if __name__ == "__main__":
    if "--check" not in sys.argv:
        TARGET.write_text(content(), encoding="utf-8")
    elif TARGET.read_text(encoding="utf-8") != content():
        raise SystemExit(f"{TARGET} is not what the packages import: run ./codegen.sh.")
