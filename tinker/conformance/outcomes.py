"""How a check ends when it does not pass."""

from __future__ import annotations


class Failed(Exception):
    """The server does not keep the contract here; the text says in what."""


class NotOffered(Exception):
    """The server does not have this; the text says how that shows."""


def expect(condition: bool, what: str) -> None:
    """Fail unless the condition holds."""
    if not condition:
        raise Failed(what)
