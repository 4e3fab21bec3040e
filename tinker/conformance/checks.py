"""What a check is, and how it ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from attrs import frozen

if TYPE_CHECKING:
    from tinker.conformance.subject import Subject


@frozen
class Check:
    name: str
    """An operationId, or the name of a rule."""
    area: str
    rule: str
    """The sentence of the contract that is checked."""
    run: Callable[[Subject], None]
    needs: tuple[str, ...]
    """Checks that must pass first; this one runs after them."""


CHECKS: list[Check] = []


def check(
    name: str, area: str, *needs: str
) -> Callable[[Callable[[Subject], None]], Callable[[Subject], None]]:
    """Register a check; its docstring is the sentence of the contract."""

    def register(function: Callable[[Subject], None]) -> Callable[[Subject], None]:
        rule = " ".join((function.__doc__ or "").split())
        CHECKS.append(Check(name, area, rule, function, needs))
        return function

    return register
