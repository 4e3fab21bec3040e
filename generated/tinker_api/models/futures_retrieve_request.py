from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import field as _attrs_field
from attrs import frozen as _attrs_frozen

from ..model import Schema


@_attrs_frozen(eq=False, repr=False)
class FuturesRetrieveRequest(Schema):
    """The completions to wait for."""

    target: SamplingSessionFuturesTarget
    """ One process that samples from a sampler. """

    prev_cursor: int = 0
    """ `cursor` of the previous response. """

    timeout: float | None = None
    """ Maximum number of seconds to wait for something new; 0 returns at once, absent lets the server choose. """

    retrieved_request_ids: list[str] = _attrs_field(factory=list)
    """ Ids of promises whose results the client has; the server may drop these results. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "target": self.target.to_dict(),
            "prev_cursor": self.prev_cursor,
        }
        if self.timeout is not None:
            result["timeout"] = self.timeout
        if self.retrieved_request_ids:
            result["retrieved_request_ids"] = self.retrieved_request_ids
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        prev_cursor = src.get("prev_cursor")
        timeout = src.get("timeout")
        retrieved_request_ids = src.get("retrieved_request_ids")
        return cls(
            SamplingSessionFuturesTarget.from_dict(src["target"]),
            0 if prev_cursor is None else prev_cursor,
            timeout,
            list() if retrieved_request_ids is None else retrieved_request_ids,
        )


from ..models.sampling_session_futures_target import SamplingSessionFuturesTarget  # noqa: E402
