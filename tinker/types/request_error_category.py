"""`RequestErrorCategory`: whose mistake a failed operation is."""

from __future__ import annotations

from enum import StrEnum


class RequestErrorCategory(StrEnum):
    """Whose mistake it is."""

    Unknown = "unknown"
    Server = "server"
    User = "user"
