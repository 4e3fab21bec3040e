from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from ..models.external_weights_upload_url import ExternalWeightsUploadURL


class ExternalWeightsUploadURLs(dict[str, ExternalWeightsUploadURL | str]):
    """Where to upload each file, by its name: an object for clients of SDK 0.40 and later, a string for those of 0.39."""

    def to_dict(self) -> dict[str, Any]:
        return {
            key: value.to_dict() if isinstance(value, ExternalWeightsUploadURL) else value
            for key, value in self.items()
        }

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        return cls(
            {
                key: ExternalWeightsUploadURL.from_dict(value) if isinstance(value, dict) else value
                for key, value in src.items()
            }
        )
