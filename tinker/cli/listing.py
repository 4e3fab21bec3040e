"""What commands that list share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any, TypeVar

import click

from tinker.cli.texts import count

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


def limit_option(help_text: str) -> Callable[[F], F]:
    """`--limit`, where 0 and less mean all."""
    return click.option("--limit", type=int, default=20, show_default=True, help=help_text)


def first(items: Iterable[T], limit: int) -> tuple[list[T], bool]:
    """The first items, or all; and whether there are more."""
    if limit <= 0:
        return list(items), False
    found = list(islice(items, limit + 1))
    return found[:limit], len(found) > limit


def listing_title(number: int, noun: str, *, more: bool) -> str:
    """As `20 sessions; --limit 0 lists all`."""
    if number == 0:
        return f"No {noun}s found"
    return count(number, noun) + ("; --limit 0 lists all" if more else "")
