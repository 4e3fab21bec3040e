from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema


@_attrs_frozen
class SetCheckpointTtlRequest(Schema):
    """How long to keep a checkpoint."""

    ttl_seconds: int | None
    """ Seconds from now; null, written out, keeps it. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "ttl_seconds": self.ttl_seconds,
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        ttl_seconds = src.get("ttl_seconds")
        return cls(
            ttl_seconds=ttl_seconds,
        )
