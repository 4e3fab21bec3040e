from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema


@_attrs_frozen(eq=False, repr=False)
class SetCheckpointTtlRequest(Schema):
    """When a checkpoint expires."""

    ttl_seconds: int | None
    """ Seconds from now until the checkpoint expires; an explicit null means that it never expires. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "ttl_seconds": self.ttl_seconds,
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        ttl_seconds = src.get("ttl_seconds")
        return cls(
            ttl_seconds,
        )
