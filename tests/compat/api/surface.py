"""The public surface of the `tinker` that is installed, as facts: `{"tinker.types.StopReason": "Literal[…]"}`.

    python surface.py          of the modules that a walk finds     -> {"modules": …, "facts": …} as JSON
    python surface.py < JSON   of the modules and names given there, found elsewhere

A fact is a text, or the parameters of something that is called. Run by the interpreters of both
packages, so it needs nothing but the standard library.
"""

from __future__ import annotations

import ast
import enum
import importlib
import importlib.metadata
import inspect
import json
import pkgutil
import sys
import types
import typing
from collections.abc import Iterator
from typing import Any

ROOTS = ["tinker", "tinker.auth", "tinker.types", "tinker.lib.public_interfaces"]
MODULES = [*ROOTS, "tinker.lib.experimental", "tinker.lib.retry_handler", "tinker._exceptions"]
# What users call on a value, whatever its class is.
OF_VALUES = [
    *["__eq__", "__hash__", "__iter__", "copy", "dict", "json", "model_construct", "model_copy"],
    *["model_dump", "model_dump_json", "model_extra", "model_fields", "model_fields_set"],
    *["model_json_schema", "model_validate", "model_validate_json", "parse_obj", "parse_raw"],
]


def modules() -> dict[str, list[str]]:
    """Module: its public names. Private modules, tests, and names of other packages are left out."""
    found = list(MODULES)
    for root in ROOTS[2:]:
        package = importlib.import_module(root)
        found += [
            f"{root}.{info.name}"
            for info in pkgutil.iter_modules(package.__path__)
            if not info.name.startswith("_") and not info.name.endswith("_test")
        ]
    public = {name: {*_names(importlib.import_module(name))} for name in dict.fromkeys(found)}
    known = set().union(*public.values())
    return {name: sorted(own | (_imported(name) & known)) for name, own in public.items()}


def _imported(name: str) -> set[str]:
    """What a module imports by name: users import that from it too."""
    body = ast.parse(inspect.getsource(importlib.import_module(name))).body
    imports = [node for node in body if isinstance(node, ast.ImportFrom)]
    return {alias.name for node in imports for alias in node.names if not alias.asname}


def _names(module: types.ModuleType) -> Iterator[str]:
    """What the module says is public, else what it defines or re-exports (`import X as X`)."""
    if hasattr(module, "__all__"):
        yield from module.__all__
        return
    for node in ast.parse(inspect.getsource(module)).body:
        bound: list[str | None] = []
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                bound = [name]
            case ast.Assign(targets=targets) if not _is_call_of(node.value, "TypeVar", "getLogger"):
                bound = [target.id for target in targets if isinstance(target, ast.Name)]
            case ast.AnnAssign(target=ast.Name(id=name)):
                bound = [name]
            case ast.ImportFrom(names=names):
                bound = [alias.asname for alias in names if alias.asname == alias.name]
        yield from (name for name in bound if name and not name.startswith("_"))


def _is_call_of(node: ast.expr, *functions: str) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in functions


Fact = str | dict[str, Any]


def facts(surface: dict[str, list[str]]) -> dict[str, Fact]:
    """Each name of the modules, what the users of a class see of it, and the shell's commands."""
    found: dict[str, Fact] = {f"command {name}": "there" for name in commands()}
    homes: dict[int, str] = {}
    for module_name, names in surface.items():
        try:
            module = importlib.import_module(module_name)
        except ImportError:
            continue
        found[module_name] = "module"
        for name in names:
            key = f"{module_name}.{name}"
            if not hasattr(module, name):
                continue
            value = getattr(module, name)
            # A class is described once, where it is first found; elsewhere it is the same object.
            if isinstance(value, type) and value.__module__ != "builtins":
                if home := homes.get(id(value)):
                    found[key] = f"= {home}"
                    continue
                homes[id(value)] = key
            for part, fact in describe(value):
                found[key + part] = fact
    return found


def commands() -> list[str]:
    scripts = importlib.metadata.distribution("tinker").entry_points.select(group="console_scripts")
    return sorted(scripts.names)


def describe(value: Any) -> Iterator[tuple[str, Fact]]:
    if hasattr(value, "__required_keys__"):
        yield "", f"TypedDict {sorted(value.__annotations__)}"
    elif isinstance(value, type) and issubclass(value, enum.Enum):
        yield "", f"enum {sorted((member.name, member.value) for member in value)}"
    elif isinstance(value, type) and issubclass(value, BaseException):
        yield "", " < ".join(base.__name__ for base in value.__mro__ if base is not object)
        yield "()", parameters(value)
    elif isinstance(value, type) and value.__module__ != "builtins":
        yield "", "class"
        yield "()", parameters(value)
        yield from members(value)
    elif inspect.isfunction(value):
        yield "()", parameters(value)
    elif inspect.ismodule(value):
        yield "", "module"
    elif isinstance(value, str | int | float | bool):
        yield "", type(value).__name__
    else:
        yield "", alias(value)


def members(cls: type) -> Iterator[tuple[str, Fact]]:
    foreign = {name for base in cls.__mro__[1:] if _is_foreign(base) for name in vars(base)}
    fields = getattr(cls, "model_fields", None)
    fields = set(fields if isinstance(fields, dict) else getattr(cls, "__dataclass_fields__", ()))
    annotated = {name for base in cls.__mro__ for name in vars(base).get("__annotations__", ())}
    for name in sorted({*dir(cls), *annotated, *fields} - {*OF_VALUES}):
        if name.startswith("_") or (name in foreign and name not in fields):
            continue
        member = inspect.getattr_static(cls, name, None)
        if isinstance(member, staticmethod | classmethod):
            yield f".{name}()", parameters(getattr(cls, name))
        elif inspect.isfunction(member):
            yield f".{name}()", parameters(member)
        else:
            yield f".{name}", "attribute"
    if fields or hasattr(cls, "__attrs_attrs__"):
        for name in OF_VALUES:
            if getattr(cls, name, None) is not None:
                yield f".{name}", "there"


def _is_foreign(base: type) -> bool:
    return base is object or base.__module__.split(".")[0] not in ("tinker", "tinker_api")


def parameters(function: Any) -> Fact:
    """Whether it is awaited, and name, kind and default of each parameter."""
    coroutine = inspect.iscoroutinefunction(function)
    coroutine |= inspect.iscoroutinefunction(inspect.unwrap(function))
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return "callable"
    return {
        "async": coroutine,
        "parameters": [
            [p.name, p.kind.name, _default(p)] for p in found if p.name not in ("self", "cls")
        ],
    }


def _default(parameter: inspect.Parameter) -> str | None:
    value = parameter.default
    if value is parameter.empty:
        return None
    if isinstance(value, enum.Enum) and value.name != "NOTHING":  # of attrs: made by a factory
        value = value.value
    if value is None or isinstance(value, str | int | float | bool):
        return repr(float(value) if type(value) is int else value)
    return "…"  # made again for each call, or a value of a class


def alias(value: Any) -> str:
    """Of a type alias: what it stands for, without the modules' names."""
    origin, arguments = typing.get_origin(value), typing.get_args(value)
    if origin is typing.Annotated:
        return alias(arguments[0])
    if origin is typing.Literal:
        return f"Literal[{', '.join(sorted(map(repr, arguments)))}]"
    if origin is typing.Union or isinstance(value, types.UnionType):
        return " | ".join(sorted({alias(member) for member in arguments}))
    if origin is not None and arguments:
        name = getattr(origin, "__name__", str(origin))
        return f"{name}[{', '.join(alias(argument) for argument in arguments)}]"
    if isinstance(value, list):
        return f"[{', '.join(map(alias, value))}]"
    if isinstance(value, typing.ForwardRef):
        return value.__forward_arg__.rsplit(".", 1)[-1]
    if isinstance(value, type):
        return value.__name__
    return "None" if value is None else str(value)


if __name__ == "__main__":
    surface = (
        modules() if sys.stdin.isatty() or not (given := sys.stdin.read()) else json.loads(given)
    )
    json.dump({"modules": surface, "facts": facts(surface)}, sys.stdout, indent=1)
