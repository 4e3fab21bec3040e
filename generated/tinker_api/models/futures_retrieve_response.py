from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import tagged


@_attrs_frozen(eq=False, repr=False)
class FuturesRetrieveResponse(Schema):
    """A part of the completions feed."""

    completions: list[FutureFailed | FutureFinished]
    """ The completions, oldest first. """

    cursor: int
    """ Cursor for the next request. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "completions": [item.to_dict() for item in self.completions],
            "cursor": self.cursor,
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        return cls(
            [
                tagged(
                    item,
                    "state",
                    {
                        "finished": FutureFinished,
                        "failed": FutureFailed,
                    },
                )
                for item in src["completions"]
            ],
            src["cursor"],
        )


from ..models.future_failed import FutureFailed  # noqa: E402
from ..models.future_finished import FutureFinished  # noqa: E402
