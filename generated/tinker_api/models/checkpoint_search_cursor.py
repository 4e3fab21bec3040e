from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema
from ..types import parse_time


@_attrs_frozen(eq=False, repr=False)
class CheckpointSearchCursor(Schema):
    """Where a search of checkpoints continues. Send it back unchanged."""

    last_created_at: datetime.datetime
    """ When the last checkpoint of the page was created, with its UTC offset. """

    last_checkpoint_uuid: str
    """ Id of the last checkpoint of the page. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "last_created_at": self.last_created_at.isoformat(),
            "last_checkpoint_uuid": self.last_checkpoint_uuid,
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        return cls(
            parse_time(src["last_created_at"]),
            src["last_checkpoint_uuid"],
        )
