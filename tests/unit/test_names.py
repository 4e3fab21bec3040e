"""Public names: what type checkers see is what is there, imported late, also under the official SDK's paths."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import pydoc
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from unittest.mock import MagicMock

import pytest

import tinker
import tinker.types
from tinker._compat.official_paths import ALIASES


def of_type_checkers(module: ModuleType) -> set[str]:
    """The names that a package imports under TYPE_CHECKING, and those it assigns."""
    assert module.__file__
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    (block,) = (n for n in tree.body if isinstance(n, ast.If) and "TYPE_CHECKING" in ast.unparse(n))
    imported = [n for n in block.body if isinstance(n, ast.ImportFrom)]
    assert all(alias.asname == alias.name for n in imported for alias in n.names), "not re-exported"
    assigned = {ast.unparse(n.targets[0]) for n in tree.body if isinstance(n, ast.Assign)}
    return {alias.name for n in imported for alias in n.names} | assigned


@pytest.mark.parametrize("module", [tinker, tinker.types])
def test_what_type_checkers_see_is_there(module: ModuleType) -> None:
    assert of_type_checkers(module) == set(module.__all__) == set(dir(module))
    for name in module.__all__:
        assert getattr(module, name) is not None
    with pytest.raises(
        AttributeError, match=f"module '{module.__name__}' has no attribute 'Nonsense'"
    ):
        module.Nonsense  # noqa: B018


def test_the_names_are_those_of_the_packages(repository: Path) -> None:
    """Listed once, under TYPE_CHECKING; the map is made from that by codegen.sh."""
    check = [sys.executable, "codegen/lazy_names.py", "--check"]
    subprocess.run(check, cwd=repository, check=True)


def test_importing_tinker_imports_little() -> None:
    script = "import json, sys, tinker; print(json.dumps([*sys.modules]))"
    output = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout
    loaded = set(json.loads(output))
    assert not loaded & {
        "numpy",
        "httpx",
        "asyncio",
        "attrs",
        "attr",
        "orjson",
        "tinker.types",
        "tinker_api",
    }


def test_a_training_client_is_made_without_numpy() -> None:
    script = "import sys, tinker; tinker.ServiceClient, tinker.TrainingClient; print(*sys.modules)"
    output = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout
    assert {"tinker.training", "httpx"} <= set(output.split())
    assert set(output.split()).isdisjoint({"numpy", "tinker.sampling", "tinker_api.models.datum"})


@pytest.mark.parametrize("alias", ALIASES)
def test_an_alias_has_the_names_of_what_it_stands_for(alias: str) -> None:
    module = importlib.import_module(alias)
    for home in map(importlib.import_module, ALIASES[alias]):
        for name in getattr(home, "__all__", ()):
            assert getattr(module, name) is getattr(home, name)
            assert name.startswith("_") or name in dir(module)
    with pytest.raises(AttributeError, match=f"module '{alias}' has no attribute 'Nonsense'"):
        module.Nonsense  # noqa: B018
    with pytest.raises(ImportError, match="Nonsense"):
        exec(f"from {alias} import Nonsense")


def test_a_name_that_is_not_an_alias_is_not_found() -> None:
    for name in ("tinker.types.nonsense", "tinker.lib.nonsense", "tinker.nonsense"):
        with pytest.raises(ModuleNotFoundError, match=name):
            importlib.import_module(name)


def test_a_submodule_of_an_alias_is_one_object() -> None:
    import tinker.lib.public_interfaces.api_future as module

    assert module is sys.modules["tinker.lib.public_interfaces.api_future"]
    assert module.APIFuture is tinker.APIFuture
    assert sys.modules["tinker.lib"].ServiceClient is tinker.ServiceClient


def test_a_training_client_defines_no_future_that_the_official_one_lacks() -> None:
    """A test of tinker-cookbook: it instruments what the class itself defines, and knows the official methods alone."""
    known = {
        *("forward", "forward_backward", "forward_backward_custom", "get_info", "optim_step"),
        *("save_state", "save_weights_for_sampler", "save_weights_external"),
        *("save_weights_and_get_sampling_client", "create_sampling_client"),
        *("load_state", "load_state_with_optimizer"),
    }
    for client, names in (
        (tinker.TrainingClient, known),
        (tinker.SamplingClient, {"sample", "compute_logprobs"}),
    ):
        own = {
            name
            for name, method in vars(client).items()
            if inspect.isfunction(method)
            and not name.startswith("_")
            and not name.endswith("_async")
            and "Future" in str(inspect.signature(method).return_annotation)
        }
        assert own <= names
    assert callable(tinker.TrainingClient.unload_model)


@pytest.mark.parametrize(
    "client",
    [tinker.TrainingClient, tinker.SamplingClient, tinker.ServiceClient, tinker.RestClient],
)
def test_help_lists_deprecated_methods_last(client: type) -> None:
    text = pydoc.plain(pydoc.render_doc(client))
    heading = r"Methods inherited from (?:tinker\.admin\.)?Deprecated:"
    current, *deprecated = re.split(heading, text)
    names = [name for name in dir(client) if name.endswith("_async")]
    assert names
    for name in names:
        assert f"{name}(" not in current
        assert any(f"{name}(" in part for part in deprecated)
        assert inspect.iscoroutinefunction(getattr(client, name))
    assert not [part for part in deprecated if "inherited from" in part]
    assert set(names) <= set(dir(MagicMock(spec=client)))
