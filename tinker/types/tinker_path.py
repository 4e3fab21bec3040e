"""`ParsedCheckpointTinkerPath`: the parts of a checkpoint's path."""

from __future__ import annotations

from typing import Self

import attrs

from tinker_api.model import Model
from tinker_api.models.checkpoint_type import CheckpointType

__all__ = ["CheckpointType", "ParsedCheckpointTinkerPath"]

_SCHEME = "tinker://"
_KINDS: dict[str, CheckpointType] = {
    "weights": "training",
    "sampler_weights": "sampler",
    "external_weights": "external",
}


@attrs.frozen(kw_only=True)
class ParsedCheckpointTinkerPath(Model):
    """A parsed tinker path: `tinker://<training_run_id>/<kind>/<name>`."""

    tinker_path: str
    training_run_id: str
    checkpoint_type: CheckpointType
    checkpoint_id: str
    """Kind and name: `weights/<name>`, `sampler_weights/<name>` or `external_weights/<name>`."""

    _ignores_unknown = True

    @classmethod
    def from_tinker_path(cls, tinker_path: str) -> Self:
        """Parse a path.

        Raises:
            ValueError: It does not have this format, its kind is unknown, or a part is empty.
        """
        parts = tinker_path.removeprefix(_SCHEME).split("/")
        if not (
            tinker_path.startswith(_SCHEME)
            and len(parts) == 3
            and all(parts)
            and parts[1] in _KINDS
        ):
            raise ValueError(
                f"not a tinker path: {tinker_path!r}; it must be "
                f"tinker://<training_run_id>/<{'|'.join(_KINDS)}>/<name>."
            )
        training_run_id, kind, name = parts
        return cls(
            tinker_path=tinker_path,
            training_run_id=training_run_id,
            checkpoint_type=_KINDS[kind],
            checkpoint_id=f"{kind}/{name}",
        )
