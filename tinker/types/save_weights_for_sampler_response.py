"""`SaveWeightsForSamplerResponse`: a sampler checkpoint was saved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, TypeAlias

import attrs

from tinker.types import _console as console
from tinker_api import models


@attrs.frozen
class SaveWeightsForSamplerResponse(models.SaveWeightsForSamplerResponse):
    """A sampler checkpoint was saved; `path` is its tinker path."""

    path: str = attrs.field(kw_only=True)

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        # The generated one passes fields by position, and `path` has another one here.
        return cls(**dict(models.SaveWeightsForSamplerResponse.from_dict(src)))

    def get_console_url(self) -> str:
        """Its page in the hosted service's console."""
        return console.checkpoint_url(self.path)

    def get_playground_url(self) -> str:
        """Its playground page in the hosted service's console."""
        return console.playground_url(self.path)


SaveWeightsForSamplerResponseInternal: TypeAlias = models.SaveWeightsForSamplerResponse
"""The server's response: a path, or a sampler if the checkpoint has no name."""
