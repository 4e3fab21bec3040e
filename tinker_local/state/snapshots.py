"""Files of adapters that are being trained or sampled from: `adapters/<name>.safetensors`.

The store maps files to models and samplers, and names each file before it is written and until it is deleted. A file
that it names but no adapter or sampler has is deleted at the next start; files that it does not name are not the
server's, and stay.
"""

from __future__ import annotations

import json
import uuid
from typing import Any

from attrs import asdict
from safetensors import safe_open

from tinker_local.engine.base import AdapterState, LoraSpec
from tinker_local.state import disk, tensor_files
from tinker_local.state.store import Store

_GROUPS = ("weights", "moments", "grads")


class Snapshots:
    """For use from any thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._folder = store.folder / "adapters"
        self._folder.mkdir(exist_ok=True)
        for row in store.select(
            """SELECT file FROM snapshots
            EXCEPT SELECT file FROM adapters EXCEPT SELECT file FROM ephemeral_weights"""
        ):
            self.delete(row["file"])

    def write(self, state: AdapterState) -> str:
        """Write an adapter durably and atomically; returns the file's name."""
        name = f"{uuid.uuid4().hex}.safetensors"
        facts = {
            "base_model": state.base_model,
            "alpha": state.alpha,
            "step": state.step,
            "lora": asdict(state.lora),
        }
        tensors = {
            f"{group}/{key}": tensor
            for group in _GROUPS
            for key, tensor in getattr(state, group).items()
        }
        self._store.insert("snapshots", file=name)
        try:
            with tensor_files.durable(self._folder / name) as file:
                tensor_files.write(file, tensors, {"adapter": json.dumps(facts)})
        except BaseException:
            with disk.unless_full():
                self.delete(name)
            raise
        return name

    def read(self, name: str) -> AdapterState:
        groups: dict[str, Any] = {group: {} for group in _GROUPS}
        with safe_open(self._folder / name, framework="numpy") as opened:
            facts: dict[str, Any] = json.loads(opened.metadata()["adapter"])
            for key in opened.keys():  # noqa: SIM118  # not a mapping
                group, _, tensor = key.partition("/")
                groups[group][tensor] = opened.get_tensor(key)
        lora = LoraSpec(**facts.pop("lora"))
        return AdapterState(lora=lora, **facts, **groups)

    def delete(self, name: str) -> None:
        (self._folder / name).unlink(missing_ok=True)
        self._store.write("DELETE FROM snapshots WHERE file = ?", name)
