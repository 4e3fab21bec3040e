"""Saving and loading."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import asdict, evolve

from tinker_local.engine.base import AdapterState
from tinker_local.errors import OperationFailed
from tinker_local.protocol.operations.outcome import Context, Outcome, json_outcome
from tinker_local.state.catalog import SAVES, Catalog, may_read
from tinker_local.state.checkpoints import DamagedCheckpoint, Location
from tinker_local.state.store import Row

_OPERATIONS = {kind: operation for operation, kind in SAVES.items()}

# ---- saving -------------------------------------------------------------------------------------


def save_weights(context: Context, model_id: str, body: Mapping[str, Any]) -> Outcome:
    return _save(context, model_id, body, "weights", overwrite=bool(body.get("overwrite")))


def save_weights_external(context: Context, model_id: str, body: Mapping[str, Any]) -> Outcome:
    return _save(context, model_id, body, "external_weights", overwrite=False)


def save_weights_for_sampler(context: Context, model_id: str, body: Mapping[str, Any]) -> Outcome:
    if body.get("path") is not None:
        return _save(context, model_id, body, "sampler_weights", overwrite=False)
    return _save_ephemeral(context, model_id, int(body["sampling_session_seq_id"]))


def _save_ephemeral(context: Context, model_id: str, number: int) -> Outcome:
    """A sampler whose weights have no tinker path and are kept as long as their session."""
    store, model = context.store, context.model(model_id)
    adapter = context.adapters.get(model_id)
    sampler_id = f"{model['session_id']}:sample:{number}"
    weights_alone = evolve(context.engine.save(adapter), moments={}, grads={})
    file = context.snapshots.write(weights_alone)

    def commit() -> None:
        if store.get("samplers", sampler_id) is not None:
            context.snapshots.delete(file)
            raise OperationFailed(f"sampling_session_seq_id {number} is used by another sampler.")
        store.insert(
            "samplers",
            id=sampler_id,
            session_id=model["session_id"],
            owner=model["owner"],
            created=store.now(),
            base_model=adapter.base_model,
            model_id=model_id,
        )
        store.insert("ephemeral_weights", sampler_id=sampler_id, file=file)

    result = {"type": "save_weights_for_sampler", "path": None, "sampling_session_id": sampler_id}
    return json_outcome(result, commit)


def _save(
    context: Context, model_id: str, body: Mapping[str, Any], kind: str, *, overwrite: bool
) -> Outcome:
    model, files = context.model(model_id), context.catalog.files
    name = body.get("path") or f"{model['next_seq_id']:06d}-{kind.split('_', maxsplit=1)[0]}"
    location = Location(model_id, kind, name)
    if context.catalog.get(location.path) is not None and not overwrite:
        hint = ": pass overwrite, or choose another name" if kind == "weights" else ""
        raise OperationFailed(f"The checkpoint {location.path} exists{hint}.")
    adapter = context.adapters.get(model_id)
    # A number that stays the same in a retry, and differs for the next save.
    save = str(model["next_seq_id"])
    state = context.engine.save(adapter)
    folder = files.write(location, save, state, body.get("age_encryption_recipients") or ())
    facts = {
        "base_model": adapter.base_model,
        "lora": asdict(adapter.lora),
        "user_metadata": body.get("user_metadata"),
    }

    def commit() -> None:
        ttl = body.get("ttl_seconds")
        context.catalog.add(location, folder, model["owner"], facts, ttl_seconds=ttl)
        context.count(model_id, "checkpoint", 1)

    result = {"type": _OPERATIONS[kind], "path": location.path, "size_bytes": files.size(folder)}
    return json_outcome(result, commit)


# ---- loading ------------------------------------------------------------------------------------


def load_weights(context: Context, model_id: str, body: Mapping[str, Any]) -> Outcome:
    path, model = body["path"], context.model(model_id)
    checkpoint = _checkpoint(context, path, model["owner"])
    if why := unfit_for_training(context.catalog, checkpoint, with_moments=body["optimizer"]):
        raise OperationFailed(f"{why}.")
    loaded = read(context, checkpoint, with_moments=bool(body["optimizer"]))
    if model["ready"]:
        adapter = context.engine.save(context.adapters.get(model_id))
        if (adapter.base_model, _shapes(adapter)) != (loaded.base_model, _shapes(loaded)):
            raise OperationFailed(
                f"{path} does not fit the model: it is {_kind(loaded)}, the model {_kind(adapter)}."
            )
        changed = context.engine.load(evolve(loaded, lora=adapter.lora, grads={}))
        commit = context.adapters.replace(model_id, changed)
    else:
        expected = body.get("base_model")
        if expected is not None and expected != loaded.base_model:
            raise OperationFailed(f"{path} is for {loaded.base_model}, not for {expected}.")
        changed = context.engine.load(loaded)
        commit = context.adapters.create(model_id, changed)
    result = {"type": "load_weights", "path": path, "model_id": model_id}
    return json_outcome(result, commit, changed)


def unfit_for_training(catalog: Catalog, checkpoint: Row, *, with_moments: bool) -> str | None:
    """Why a checkpoint cannot be loaded into a training run; None if it can."""
    path, kind = checkpoint["path"], checkpoint["kind"]
    if kind == "sampler_weights":
        return f"{path} is not a training checkpoint (…/weights/… or …/external_weights/…)"
    if kind == "external_weights" and with_moments:
        return f"{path} has no optimizer state: load it without the optimizer"
    if catalog.files.is_encrypted(checkpoint["folder"]):
        return f"{path} is encrypted for use elsewhere"
    return None


def read(context: Context, checkpoint: Row, *, with_moments: bool) -> AdapterState:
    """The adapter in a checkpoint; the operation fails if its files are missing or damaged."""
    try:
        return context.catalog.files.read(checkpoint["folder"], with_moments=with_moments)
    except FileNotFoundError:
        raise OperationFailed(
            f"The files of {checkpoint['path']} no longer exist.", "server"
        ) from None
    except DamagedCheckpoint as error:
        raise OperationFailed(f"{checkpoint['path']}: {error}", "server") from None


def _checkpoint(context: Context, path: str, user: str) -> Row:
    """A checkpoint that exists, has not expired, and belongs to the user or is public."""
    row = context.catalog.get(path)
    if row is None:
        raise OperationFailed(f"The checkpoint {path} does not exist.")
    if not may_read(row, user):
        raise OperationFailed(f"You do not have access to {path}.")
    return row


def _shapes(adapter: AdapterState) -> dict[str, tuple[int, ...]]:
    return {name: weight.shape for name, weight in adapter.weights.items()}


def _kind(adapter: AdapterState) -> str:
    parts = ("attn", "mlp", "unembed")
    trained = [part for part in parts if getattr(adapter.lora, f"train_{part}")]
    return f"of rank {adapter.lora.rank} on {', '.join(trained)} of {adapter.base_model}"
