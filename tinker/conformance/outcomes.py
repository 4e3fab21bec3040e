"""How a check ends when it does not pass."""

from __future__ import annotations


class Failed(Exception):
    """The server breaks the contract; the message says what was expected and what was found."""


class NotOffered(Exception):
    """The server does not have this; the message says how it shows."""


def expect(condition: bool, what: str) -> None:
    """Fail with this message unless the condition holds."""
    if not condition:
        raise Failed(what)
