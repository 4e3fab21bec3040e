"""Names of a package that are imported when they are first used (PEP 562), so that importing it costs little."""

from __future__ import annotations

import importlib
import sys

from tinker._lazy_names import NAMES

# For type checkers it is True; `typing` takes longer to import than all of this.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def lazy(package: str, *own: str) -> None:
    """Give a package its `__getattr__`, `__dir__` and `__all__`: what it imports under TYPE_CHECKING, and its own names.

    Type checkers see nothing of this.
    """
    home_of = NAMES[package]

    def get(name: str) -> Any:
        if name not in home_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = importlib.import_module(home_of[name])
        # A name that is its module's own stands for the module.
        value = module if home_of[name] == f"{package}.{name}" else getattr(module, name)
        setattr(sys.modules[package], name, value)
        return value

    names = sorted([*home_of, *own])
    vars(sys.modules[package]).update(__getattr__=get, __dir__=lambda: names, __all__=names)
