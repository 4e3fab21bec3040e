from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema


@_attrs_frozen(eq=False, repr=False)
class ExternalWeightsUploadFinishRequest(Schema):
    """An upload whose files are all uploaded."""

    upload_id: str
    """ Id of the upload. """

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "upload_id": self.upload_id,
        }
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        return cls(
            src["upload_id"],
        )
