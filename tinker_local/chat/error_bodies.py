"""Errors in the format of each route's clients."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tinker_local.errors import Refusal

Form = Callable[[Refusal], tuple[int, dict[str, Any]]]
"""Turns a refusal into a status code and a body."""


def native(refusal: Refusal) -> tuple[int, dict[str, Any]]:
    return refusal.status, {"detail": refusal.detail}


def openai(refusal: Refusal) -> tuple[int, dict[str, Any]]:
    status, message, parameter = _plain(refusal)
    kind, code = _OPENAI.get(status, ("invalid_request_error", None))
    if status >= 500:
        kind, code = "server_error", None
    detail = {
        "message": message,
        "type": kind,
        "param": parameter,
        "code": refusal.code or code,
    }
    return status, {"error": detail}


def anthropic(refusal: Refusal) -> tuple[int, dict[str, Any]]:
    status, message, parameter = _plain(refusal)
    kind = _ANTHROPIC.get(status, "api_error" if status >= 500 else "invalid_request_error")
    if parameter and parameter not in message:
        message = f"{parameter}: {message}"
    detail: dict[str, Any] = {"type": kind, "message": message}
    if refusal.code:
        detail["details"] = {"error_code": refusal.code}
    return status, {"type": "error", "error": detail}


FORMS: Mapping[str, Form] = {"openai": openai, "anthropic": anthropic}
"""By the tag of an operation; all others have the native format."""
_PREFIXES = {"/oai/": openai, "/anthropic/": anthropic}


def of_path(path: str) -> Form:
    """The format of errors for a path, which may not belong to an operation."""
    return next((form for prefix, form in _PREFIXES.items() if path.startswith(prefix)), native)


_OPENAI = {
    401: ("authentication_error", "invalid_api_key"),
    403: ("permission_error", None),
    404: ("not_found_error", None),
    429: ("rate_limit_error", "rate_limit_exceeded"),
}
_ANTHROPIC = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
}


def _plain(refusal: Refusal) -> tuple[int, str, str | None]:
    """Status code, message and parameter. A schema violation is a 400 in both APIs."""
    status = 400 if refusal.status == 422 else refusal.status
    if isinstance(refusal.detail, str):
        return status, refusal.detail, refusal.parameter
    first = refusal.detail[0]
    location, message = list(first["loc"][1:]), str(first["msg"])
    if missing := _MISSING.fullmatch(message):
        location.append(missing[1])
    parameter = _dotted(location)
    if parameter not in message:
        message = f"{parameter}: {message}"
    return status, message, parameter or None


_MISSING = re.compile('"(.+)" is a required property')


def _dotted(location: Sequence[Any]) -> str:
    """`messages[0].role`."""
    text = ""
    for part in location:
        text += f"[{part}]" if str(part).isdigit() else f".{part}"
    return text.removeprefix(".")
