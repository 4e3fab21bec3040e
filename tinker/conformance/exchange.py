"""A request and its response, shortened for display, without credentials."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson
from attrs import frozen

from tinker.conformance.outcomes import Failed

_TOKEN = re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*|\btml-[\w-]+")
_SHOWN = ("content-type", "content-length", "content-encoding", "accept", "retry-after", "location")
"""The only headers that are shown: others may hold a credential."""
_LONGEST = 1500


@frozen
class Exchange:
    operation: str
    method: str
    path: str
    request_headers: Mapping[str, str]
    request_body: bytes
    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float

    @property
    def media_type(self) -> str:
        return self.headers.get("content-type", "").split(";")[0].strip().lower()

    def json(self) -> Any:
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            raise Failed(
                f"{self.operation}: expected JSON, found a {self.status} with a body that is not JSON"
            ) from None

    def to_json(self) -> dict[str, Any]:
        return {
            "request": {
                "method": self.method,
                "path": self.path,
                "headers": _shown(self.request_headers),
                "body": _readable(self.request_body),
            },
            "response": {
                "status": self.status,
                "headers": _shown(self.headers),
                "body": _readable(self.body),
                "seconds": round(self.seconds, 3),
            },
        }

    def text(self, indent: str = "") -> str:
        lines = [f"{self.method} {self.path}"]
        lines += [f"{name}: {value}" for name, value in _shown(self.request_headers).items()]
        if self.request_body:
            lines += ["", _readable(self.request_body)]
        lines += ["", f"HTTP {self.status} after {self.seconds:.2f} s"]
        lines += [f"{name}: {value}" for name, value in _shown(self.headers).items()]
        if self.body:
            lines += ["", _readable(self.body)]
        return "\n".join(f"{indent}{line}".rstrip() for line in "\n".join(lines).split("\n"))


def _shown(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: hide(value) for name, value in headers.items() if name.lower() in _SHOWN}


def _readable(body: bytes) -> str:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return f"({len(body)} bytes)"
    text = hide(text)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(body)} bytes)"


def hide(text: str) -> str:
    """The text without anything that looks like a credential."""
    return _TOKEN.sub("(credential)", text)
