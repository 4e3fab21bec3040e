"""What differs between two surfaces: every use that the official package allows is allowed here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.compat.api.surface import Fact

_BY_POSITION = ("POSITIONAL_ONLY", "POSITIONAL_OR_KEYWORD")


def differences(official: Mapping[str, Fact], ours: Mapping[str, Fact]) -> dict[str, str]:
    """Of each fact that does not hold here, what is so there and what is so here.

    Of what is missing altogether, only that is said.
    """
    found: dict[str, str] = {}
    for key, theirs in official.items():
        here = ours.get(_home(ours, key))
        if isinstance(theirs, str) and theirs.startswith("= "):
            theirs, here = _home(ours, theirs[2:]), here and _home(ours, key)  # noqa: PLW2901
        if here is None:
            if not any(_is_part(key, other) for other in found if found[other] == "missing"):
                found[key] = "missing"
        elif not _holds(theirs, here):
            found[key] = f"{show(theirs)} there, {show(here)} here"
    return found


def _home(facts: Mapping[str, Fact], key: str) -> str:
    """Where what has this key is described: `tinker.A.b()` if `tinker.types.A` is `= tinker.A`."""
    parts = key.split(".")
    for end in range(len(parts), 0, -1):
        owner, rest = ".".join(parts[:end]), key[len(".".join(parts[:end])) :]
        call = owner.removesuffix("()")
        fact = facts.get(call)
        if isinstance(fact, str) and fact.startswith("= "):
            return fact[2:] + owner[len(call) :] + rest
    return key


def _is_part(key: str, whole: str) -> bool:
    return key.startswith((f"{whole}.", f"{whole}("))


def _holds(theirs: Fact, ours: Fact) -> bool:
    if isinstance(theirs, str) or isinstance(ours, str):
        return theirs == ours
    return theirs["async"] == ours["async"] and _takes_what(
        theirs["parameters"], ours["parameters"]
    )


def _takes_what(theirs: list[Any], ours: list[Any]) -> bool:
    """Whether every call that fits `theirs` fits `ours`, and means the same."""
    if [kind for _, kind, _ in theirs] == ["VAR_POSITIONAL", "VAR_KEYWORD"]:
        return True  # it only passes on
    our_positions = [name for name, kind, _ in ours if kind in _BY_POSITION]
    positions = [name for name, kind, _ in theirs if kind in _BY_POSITION]
    if our_positions[: len(positions)] != positions:
        return False
    mine = {name: (kind, default) for name, kind, default in ours}
    for name, kind, default in theirs:
        if name not in mine or (kind.startswith("VAR_") and mine[name][0] != kind):
            return False
        if default is not None and mine[name][1] != default:
            return False
    known = {name for name, _, _ in theirs}
    return all(
        name in known or default is not None or kind.startswith("VAR_")
        for name, kind, default in ours
    )


def show(fact: Fact) -> str:
    if isinstance(fact, str):
        return fact
    shown: list[str] = []
    for name, kind, default in fact["parameters"]:
        if kind == "KEYWORD_ONLY" and "*" not in shown and not any(s[0] == "*" for s in shown):
            shown.append("*")
        stars = {"VAR_POSITIONAL": "*", "VAR_KEYWORD": "**"}.get(kind, "")
        shown.append(f"{stars}{name}" + ("" if default is None else f"={default}"))
    return f"{'async ' * fact['async']}({', '.join(shown)})"
