"""Media types of requests and responses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from tinker._http.sse import EVENT_STREAM

__all__ = ["EVENT_STREAM", "JSON", "OCTET_STREAM", "PROTOBUF", "ResultType", "is_protobuf"]

JSON: Final = "application/json"
PROTOBUF: Final = "application/x-protobuf"
OCTET_STREAM: Final = "application/octet-stream"

ResultType: TypeAlias = Literal["application/json", "application/x-protobuf"]
"""The encodings of a result."""


def is_protobuf(headers: Mapping[str, str]) -> bool:
    """Whether a body is a protobuf message. Some servers use another media type, such as `application/protobuf`."""
    return "protobuf" in headers.get("content-type", "")
