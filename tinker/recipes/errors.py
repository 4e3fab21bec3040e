"""Errors of recipes: invalid data or settings, explained so that a person can fix them."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from tinker import _extras
from tinker.errors import TinkerError

_SHOWN = 10


@frozen
class Problem:
    """Something wrong with one row."""

    line: int
    text: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.text}"


class RecipeError(TinkerError):
    """A recipe cannot go on; the message says why and what to do."""


class DataError(RecipeError):
    """The data cannot be trained on.

    Attributes:
        problems: What is wrong, by line.
    """

    def __init__(self, message: str, problems: Sequence[Problem] = ()) -> None:
        self.problems = list(problems)
        shown = [f"  {problem}" for problem in self.problems[:_SHOWN]]
        if len(self.problems) > _SHOWN:
            shown.append(f"  … and {len(self.problems) - _SHOWN} more")
        super().__init__("\n".join([message, *shown]))


def missing_extra(use: str, error: ModuleNotFoundError, extra: str) -> RecipeError:
    """The error for an optional package that is not installed."""
    return RecipeError(
        f"{use[0].upper()}{use[1:]} needs the package {error.name}: {_extras.install(extra)}"
    )
