"""`RequestOptions`: how one request is sent, in the words of the official SDK."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from httpx import Timeout


class RequestOptions(TypedDict, total=False):
    headers: Mapping[str, str]
    max_retries: int
    timeout: float | Timeout | None
    params: Mapping[str, object]
    extra_json: Mapping[str, Any]
    idempotency_key: str
    follow_redirects: bool
