"""Build hook: stubs for type checkers, of the official SDK's modules that are aliases here.

`tinker/_official_paths.py` makes the aliases when they are imported, which no type checker sees. The wheel therefore
has a partial stub package (PEP 561), `tinker-stubs`, with a line for each of them.
"""

from __future__ import annotations

import runpy
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Stubs(BuildHookInterface):  # type: ignore[type-arg]
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        self.temporary = tempfile.TemporaryDirectory()  # until the build is done
        folder = Path(self.temporary.name) / "tinker-stubs"
        aliases = runpy.run_path(str(Path(self.root) / "tinker" / "_compat" / "official_paths.py"))[
            "ALIASES"
        ]
        for name, homes in aliases.items():
            path = folder.joinpath(*name.split(".")[1:])
            package = any(other.startswith(f"{name}.") for other in aliases)
            file = path / "__init__.pyi" if package else path.with_suffix(".pyi")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("".join(f"from {home} import *\n" for home in homes))
        (folder / "py.typed").write_text("partial\n")
        build_data["force_include"][str(folder)] = folder.name
