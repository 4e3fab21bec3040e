"""Model names: a base model, a checkpoint, or a checkpoint at a base model's context length.

tinker-local/tiny                       the base model
tinker-local/tiny:peft:8192             a variant of it, here with a longer context
tinker://<run>/sampler_weights/<name>   a checkpoint
<base model>;<checkpoint>               the checkpoint at the context length of that base model
"""

from __future__ import annotations

from attrs import frozen

from tinker_local.state import checkpoints


@frozen
class ModelName:
    """A parsed model name; at least one part is set."""

    base_model: str | None
    path: str | None

    def __str__(self) -> str:
        return ";".join(part for part in (self.base_model, self.path) if part is not None)


def parse(name: str) -> ModelName:
    """The parts of a model name. Anything except a tinker path is the name of a base model."""
    base_model, separator, path = name.rpartition(";")
    if separator and base_model and checkpoints.parse(path) is not None:
        return ModelName(base_model, path)
    if name.startswith("tinker://"):
        return ModelName(None, name)
    return ModelName(name, None)


def are_variants(first: str, second: str) -> bool:
    """Whether two base models differ only in their context length, as `org/name` and `org/name:peft:<context>`."""
    return _family(first) == _family(second)


def _family(base_model: str) -> str:
    name, _, variant = base_model.partition(":")
    kind, _, context = variant.partition(":")
    return name if not variant or (kind == "peft" and context.isdigit()) else base_model
