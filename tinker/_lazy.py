"""Import the names of a package on first use (PEP 562), so that importing the package costs little."""

from __future__ import annotations

import importlib
import sys

from tinker._lazy_names import NAMES

# Type checkers take it for True. Importing `typing` would take longer than this whole module.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def lazy(package: str, *own: str) -> None:
    """Return `__getattr__`, `__dir__` and `__all__` of a package: the names that it imports under TYPE_CHECKING, and its own.

    Type checkers do not see them.
    """
    home_of = NAMES[package]

    def get(name: str) -> Any:
        if name not in home_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = importlib.import_module(home_of[name])
        # A name that equals its module's means the module itself.
        value = module if home_of[name] == f"{package}.{name}" else getattr(module, name)
        setattr(sys.modules[package], name, value)
        return value

    names = sorted([*home_of, *own])
    vars(sys.modules[package]).update(__getattr__=get, __dir__=lambda: names, __all__=names)
