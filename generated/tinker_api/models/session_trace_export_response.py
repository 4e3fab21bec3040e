from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..models.session_trace_export_response_status import (
    SessionTraceExportResponseStatus,
)


@_attrs_frozen(eq=False, repr=False)
class SessionTraceExportResponse(Schema):
    """The state of a trace export."""

    status: SessionTraceExportResponseStatus
    """ Whether the file is ready. """

    url: None | str = None
    """ Signed URL of the file, if the status is `ready`. """

    error: None | str = None
    """ What went wrong, if the status is `failed`. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "status": self.status,
        }
        if self.url is not None:
            result["url"] = self.url
        if self.error is not None:
            result["error"] = self.error
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        url = src.get("url")
        error = src.get("error")
        return cls(
            src["status"],
            url,
            error,
        )
