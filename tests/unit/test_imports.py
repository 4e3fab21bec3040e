"""What importing the package brings along."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import tinker.recipes


def modules_after(code: str) -> set[str]:
    """The modules that a new interpreter has after running the code, besides those it began with."""
    script = f"import sys; begin = set(sys.modules)\n{code}\nprint(*set(sys.modules) - begin)"
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return set(result.stdout.split())


def test_importing_the_package_imports_nothing_that_takes_long() -> None:
    others = {name.partition(".")[0] for name in modules_after("import tinker")} - {"tinker"}
    assert others <= {"__future__", "importlib", "warnings", "_warnings"}


def test_a_client_leaves_httpx_without_its_command_line() -> None:
    code = "import tinker; tinker.ServiceClient; import httpx; assert callable(httpx.main)"
    loaded = modules_after(code)
    assert {"httpx", "tinker.service"} <= loaded
    assert loaded.isdisjoint({"httpx._main", "click", "rich", "numpy"})
    assert "click" in modules_after(f"{code}\nimport httpx._main")  # it is there for those who ask


def test_httpx_that_is_imported_already_stays_as_it_is() -> None:
    assert "httpx._main" in modules_after("import httpx, tinker; tinker.ServiceClient")


def test_a_binary_body_imports_no_model_of_the_other_form() -> None:
    loaded = modules_after(
        "from tinker_api.api.training import forward_backward\n"
        "from tinker_api.types import File\n"
        "forward_backward.request(body=File(b''))"
    )
    assert not {name for name in loaded if name.startswith("tinker_api.models.")}


def test_commands_that_list_import_no_recipes() -> None:
    """They have a third of a second, beyond what the server takes."""
    names = "auth, billing, checkpoint, completion, model, run, session, usage, version"
    loaded = modules_after(f"from tinker.cli.commands import {names}")
    assert "tinker.cli.commands.session" in loaded
    assert not {name for name in loaded if name.startswith("tinker.recipes")}


def test_the_help_of_the_command_imports_none_of_its_commands() -> None:
    loaded = modules_after("from tinker.cli.app import run\nrun(['--help'])")
    assert not {name for name in loaded if name.startswith("tinker.cli.commands.")}


def imported(node: ast.AST) -> Iterator[str]:
    """The packages that code needs: what it imports, except where it says what to do if they are missing."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            yield (child.module or "").partition(".")[0]
        elif not (isinstance(child, ast.Try) and "ModuleNotFoundError" in ast.unparse(child)):
            yield from imported(child)


def test_recipes_need_only_what_the_package_brings() -> None:
    """Extras are for single functions, which name the extra when it is missing."""
    project = tomllib.loads(
        (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    )
    required = project["project"]["dependencies"]
    brought = {re.split(r"[^\w.-]", line)[0].lower() for line in required}
    packages = metadata.packages_distributions()
    (folder,) = tinker.recipes.__path__
    for path in Path(folder).glob("*.py"):
        for name in set(imported(ast.parse(path.read_text(encoding="utf-8")))):
            if name in sys.stdlib_module_names or name in ("tinker", "tinker_api"):
                continue
            assert {one.lower() for one in packages[name]} & brought, f"{path.name} needs {name}"
