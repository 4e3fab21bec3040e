"""`SaveWeightsForSamplerResponse`: a sampler checkpoint was saved."""

from __future__ import annotations

from typing import TypeAlias

import attrs

from tinker.types import _console as console
from tinker_api import models


@attrs.frozen
class SaveWeightsForSamplerResponse(models.SaveWeightsForSamplerResponse):
    """A sampler checkpoint was saved; `path` is its tinker path."""

    path: str = attrs.field(kw_only=True)

    def get_console_url(self) -> str:
        """Its page in the hosted service's console."""
        return console.checkpoint_url(self.path)

    def get_playground_url(self) -> str:
        """The page of the hosted service's console on which to try it."""
        return console.playground_url(self.path)


SaveWeightsForSamplerResponseInternal: TypeAlias = models.SaveWeightsForSamplerResponse
"""What the server answers: with a path or, if the checkpoint was not to have a name, with a sampler."""
