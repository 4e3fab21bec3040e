from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from attrs import frozen as _attrs_frozen

from ..model import Schema


@_attrs_frozen(eq=False, repr=False)
class LoraConfig(Schema):
    """The adapter to train."""

    rank: int
    """ Rank of the adapter's matrices. The hosted service requires a power of two. """

    seed: int | None = None
    """ Seed of the initial weights; null means that the server chooses one. """

    train_unembed: bool = True
    """ Whether to adapt the unembedding. """

    train_mlp: bool = True
    """ Whether to adapt the MLP blocks. """

    train_attn: bool = True
    """ Whether to adapt the attention blocks. """

    _ignores_unknown = False

    def to_dict(self) -> dict[str, Any]:
        result: dict[str, Any] = {
            "rank": self.rank,
            "train_unembed": self.train_unembed,
            "train_mlp": self.train_mlp,
            "train_attn": self.train_attn,
        }
        if self.seed is not None:
            result["seed"] = self.seed
        return result

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        seed = src.get("seed")
        train_unembed = src.get("train_unembed")
        train_mlp = src.get("train_mlp")
        train_attn = src.get("train_attn")
        return cls(
            src["rank"],
            seed,
            True if train_unembed is None else train_unembed,
            True if train_mlp is None else train_mlp,
            True if train_attn is None else train_attn,
        )
