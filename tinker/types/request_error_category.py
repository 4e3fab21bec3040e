"""`RequestErrorCategory`: who has to act on a failed operation."""

from __future__ import annotations

from tinker.errors import RequestErrorCategory

__all__ = ["RequestErrorCategory"]
