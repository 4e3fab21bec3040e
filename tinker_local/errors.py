"""Refusals: a status and a reason, as the contract's error bodies say them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class Refusal(Exception):
    """The request is answered with this status and, in the form of its route, this detail."""

    def __init__(
        self,
        status: int,
        detail: str | Sequence[Mapping[str, Any]],
        headers: Mapping[str, str] | None = None,
        *,
        parameter: str | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(str(detail))
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})
        self.parameter = parameter
        """What is wrong, for the forms that have a place for it."""
        self.code = code
        """For programs, for the forms that have a place for it."""


class OperationFailed(Exception):
    """An accepted operation fails: its future says so. The default category is the caller's mistake."""

    def __init__(self, message: str, category: str = "user") -> None:
        super().__init__(message)
        self.category = category


def invalid(location: Sequence[str], message: str, kind: str) -> Refusal:
    """A 422 for one thing that does not fit its schema."""
    return Refusal(422, [{"loc": list(location), "msg": message, "type": kind}])
