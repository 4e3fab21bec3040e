from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema


@_attrs_frozen(eq=False, repr=False)
class ClientConfigRequest(Schema):
    """The client that asks for settings."""

    sdk_version: str
    """ Version of the official SDK that the client is compatible with. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "sdk_version": self.sdk_version,
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        return cls(
            src["sdk_version"],
        )
