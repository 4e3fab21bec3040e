"""`SaveWeightsResponse`: a training checkpoint was saved."""

from __future__ import annotations

from tinker.types import _console as console
from tinker_api import models


class SaveWeightsResponse(models.SaveWeightsResponse):
    """A training checkpoint was saved; `path` is its tinker path."""

    __slots__ = ()

    def get_console_url(self) -> str:
        """Its page in the hosted service's console."""
        return console.checkpoint_url(self.path)
