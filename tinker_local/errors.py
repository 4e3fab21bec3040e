"""Refusals: a status code and a reason for the contract's error bodies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class Refusal(Exception):
    """The request gets this status code and, in the format of its route, this detail."""

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
        """Name of the parameter that is wrong, for formats that have it."""
        self.code = code
        """Code of the error for programs, for formats that have it."""


class OperationFailed(Exception):
    """An accepted operation fails, and so does its future. The default category is `user`, a mistake of the caller."""

    def __init__(self, message: str, category: str = "user") -> None:
        super().__init__(message)
        self.category = category


def invalid(location: Sequence[str], message: str, kind: str) -> Refusal:
    """A 422 for one schema violation."""
    return Refusal(422, [{"loc": list(location), "msg": message, "type": kind}])
