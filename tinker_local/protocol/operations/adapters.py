"""The adapters of the models: in the database, and the ones used last in memory too."""

from __future__ import annotations

from collections import OrderedDict

import orjson
import safetensors.numpy
from attrs import asdict

from tinker_local.engine.base import Adapter, LoraSpec
from tinker_local.errors import OperationFailed
from tinker_local.state.store import Store

MAX_ADAPTERS_IN_MEMORY = 16
_GROUPS = ("weights", "moments", "grads")


class Adapters:
    """Use on the scheduler's thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._recent: OrderedDict[str, Adapter] = OrderedDict()

    def get(self, model_id: str) -> Adapter:
        """The adapter of a model; the operation fails if there is none."""
        adapter = self._recent.get(model_id) or self._load(model_id)
        self.remember(model_id, adapter)
        return adapter

    def _load(self, model_id: str) -> Adapter:
        model = self._store.get("models", model_id)
        rows = self._store.select("SELECT * FROM adapters WHERE model_id = ?", model_id)
        if model is None or not rows:
            why = "is unloaded" if model and model["unloaded"] else "was not created"
            raise OperationFailed(f"The model {model_id} {why}.")
        groups = {group: safetensors.numpy.load(rows[0][group]) for group in _GROUPS}
        return Adapter(
            base_model=model["facts"]["base_model"],
            lora=LoraSpec(**model["facts"]["lora"]),
            step=rows[0]["step"],
            **groups,
        )

    def remember(self, model_id: str, adapter: Adapter) -> None:
        """Keep in memory what is committed."""
        self._recent[model_id] = adapter
        self._recent.move_to_end(model_id)
        while len(self._recent) > MAX_ADAPTERS_IN_MEMORY:
            self._recent.popitem(last=False)

    def forget(self, model_id: str) -> None:
        self._recent.pop(model_id, None)

    # ---- inside a commit ----------------------------------------------------------------------

    def insert(self, model_id: str, adapter: Adapter) -> None:
        """Write the adapter of a new model, which is ready from now on."""
        row = self._store.get("models", model_id)
        assert row is not None
        facts = {**row["facts"], "base_model": adapter.base_model, "lora": asdict(adapter.lora)}
        self._store.write(
            "UPDATE models SET ready = 1, facts = ? WHERE id = ?",
            orjson.dumps(facts).decode(),
            model_id,
        )
        groups = {group: safetensors.numpy.save(getattr(adapter, group)) for group in _GROUPS}
        self._store.insert("adapters", model_id=model_id, step=adapter.step, **groups)

    def update(self, model_id: str, adapter: Adapter, *groups: str) -> None:
        """Write the groups of tensors that an operation changed."""
        assignments = ", ".join(f"{group} = ?" for group in groups)
        self._store.write(
            f"UPDATE adapters SET step = ?, {assignments} WHERE model_id = ?",
            adapter.step,
            *[safetensors.numpy.save(getattr(adapter, group)) for group in groups],
            model_id,
        )

    def delete(self, model_id: str) -> None:
        self._store.write("UPDATE models SET unloaded = 1 WHERE id = ?", model_id)
        self._store.write("DELETE FROM adapters WHERE model_id = ?", model_id)
