"""What operations do: numbers from the engine, committed together with the state they leave behind."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson
import safetensors.numpy
from attrs import asdict, evolve

from tinker_local import checkpoints, wire
from tinker_local.checkpoints import CheckpointFiles, Location
from tinker_local.engine.base import (
    AdamSpec,
    Adapter,
    Engine,
    EngineError,
    LoraSpec,
    SampleSpec,
    Tensors,
)
from tinker_local.errors import OperationFailed
from tinker_local.scheduler import Job
from tinker_local.store import DONE, FAILED, Row, Store
from tinker_proto import tinker_pb2 as pb

logger = logging.getLogger("tinker_local")

_ADAPTERS_IN_MEMORY = 16
_GROUPS = ("weights", "moments", "grads")

Commit = Callable[[], None]
"""Writes what an operation changes, inside the transaction that records its result."""
Outcome = tuple[bytes, str, Commit | None]
"""The result, its media type, and what to commit with it."""


class Operations:
    """Executes jobs, on the scheduler's thread."""

    def __init__(self, store: Store, engine: Engine, files: CheckpointFiles) -> None:
        self._store = store
        self._engine = engine
        self._files = files
        self._adapters: OrderedDict[str, Adapter] = OrderedDict()
        self._sampler_weights: OrderedDict[str, Tensors | None] = OrderedDict()

    def execute(self, jobs: Sequence[Job]) -> None:
        """Run jobs of one target and record their results."""
        if jobs[0].request.operation == "asample":
            self._sample(jobs)
            return
        for job in jobs:
            self._record(job, self._attempt(job))

    # ---- recording --------------------------------------------------------------------------

    def _attempt(self, job: Job) -> Outcome | OperationFailed:
        try:
            body = job.payload if job.payload is not None else _decode(job)
            run = getattr(self, f"_{job.request.operation}")
            outcome: Outcome = run(job.request.target, body)
            return outcome
        except OperationFailed as failure:
            return failure
        except EngineError as error:
            return OperationFailed(str(error))
        except Exception as error:
            logger.exception("%s failed", job.request.operation)
            return OperationFailed(f"{type(error).__name__} in {job.request.operation}", "server")

    def _record(self, job: Job, outcome: Outcome | OperationFailed) -> None:
        request = job.request
        with self._store.transaction():
            if isinstance(outcome, OperationFailed):
                failure = orjson.dumps({"error": str(outcome), "category": outcome.category})
                self._store.finish(request.id, FAILED, failure, wire.JSON)
            else:
                result, media_type, commit = outcome
                if commit is not None:
                    commit()
                self._store.finish(request.id, DONE, result, media_type)
            if request.seq_id is not None:
                self._store.write(
                    "UPDATE models SET next_seq_id = ? WHERE id = ?",
                    request.seq_id + 1,
                    request.target,
                )
        # Only now: had the transaction failed, memory and disk would have parted.
        if not isinstance(outcome, OperationFailed) and isinstance(outcome[2], _Keep):
            self._remember(request.target, outcome[2].adapter)

    def _remember(self, model_id: str, adapter: Adapter) -> None:
        self._adapters[model_id] = adapter
        self._adapters.move_to_end(model_id)
        while len(self._adapters) > _ADAPTERS_IN_MEMORY:
            self._adapters.popitem(last=False)

    def _adapter(self, model_id: str) -> Adapter:
        adapter = self._adapters.get(model_id)
        if adapter is None:
            model = self._store.get("models", model_id)
            rows = self._store.select("SELECT * FROM adapters WHERE model_id = ?", model_id)
            if model is None or not rows:
                raise OperationFailed(f"The model {model_id} was not created.")
            groups = {group: safetensors.numpy.load(rows[0][group]) for group in _GROUPS}
            adapter = Adapter(
                base_model=model["facts"]["base_model"],
                lora=LoraSpec(**model["facts"]["lora"]),
                step=rows[0]["step"],
                **groups,
            )
        self._remember(model_id, adapter)
        return adapter

    # ---- models -----------------------------------------------------------------------------

    def _create_model(self, model_id: str, body: Mapping[str, Any]) -> Outcome:
        lora = body["lora_config"]
        spec = LoraSpec(
            rank=int(lora["rank"]),
            seed=None if lora.get("seed") is None else int(lora["seed"]) % 2**63,
            train_unembed=lora.get("train_unembed", True),
            train_mlp=lora.get("train_mlp", True),
            train_attn=lora.get("train_attn", True),
        )
        adapter = self._engine.new_adapter(body["base_model"], spec)
        result = {"type": "create_model", "model_id": model_id}
        return orjson.dumps(result), wire.JSON, self._created(model_id, adapter)

    def _created(self, model_id: str, adapter: Adapter) -> _Keep:
        facts = {"base_model": adapter.base_model, "lora": asdict(adapter.lora)}

        def commit() -> None:
            row = self._store.get("models", model_id)
            assert row is not None
            self._store.write(
                "UPDATE models SET ready = 1, facts = ? WHERE id = ?",
                orjson.dumps({**row["facts"], **facts}).decode(),
                model_id,
            )
            self._store.insert(
                "adapters",
                model_id=model_id,
                step=adapter.step,
                **{group: safetensors.numpy.save(getattr(adapter, group)) for group in _GROUPS},
            )

        return _Keep(adapter, commit)

    def _unload_model(self, model_id: str, body: Mapping[str, Any]) -> Outcome:
        def commit() -> None:
            self._store.write("UPDATE models SET unloaded = 1 WHERE id = ?", model_id)
            self._store.write("DELETE FROM adapters WHERE model_id = ?", model_id)

        self._adapters.pop(model_id, None)
        return orjson.dumps({"type": "unload_model", "model_id": model_id}), wire.JSON, commit

    # ---- training ---------------------------------------------------------------------------

    def _forward_backward(self, model_id: str, body: Any) -> Outcome:
        if isinstance(body, pb.ForwardBackwardRequest):
            return self._loss(
                model_id,
                wire.examples_from_protobuf(body),
                body.loss_fn,
                {**body.loss_fn_config, **_config(body.loss_fn_config_v2)},
                backward=not body.forward_only,
            )
        return self._json_loss(model_id, body["forward_backward_input"], backward=True)

    def _forward(self, model_id: str, body: Any) -> Outcome:
        return self._json_loss(model_id, body["forward_input"], backward=False)

    def _json_loss(self, model_id: str, body: Mapping[str, Any], *, backward: bool) -> Outcome:
        config = body.get("loss_fn_config") or {}
        examples = wire.examples_from_json(body)
        return self._loss(model_id, examples, body["loss_fn"], config, backward=backward)

    def _loss(
        self,
        model_id: str,
        examples: Sequence[Any],
        loss_fn: str,
        config: Mapping[str, Any],
        *,
        backward: bool,
    ) -> Outcome:
        for key, value in config.items():
            if isinstance(value, str):
                raise OperationFailed(
                    f"loss_fn_config[{key!r}] is a text; {loss_fn} takes numbers."
                )
        adapter = self._adapter(model_id)
        result, changed = self._engine.forward(
            adapter, examples, loss_fn, config, backward=backward
        )
        commit = self._changed(model_id, changed, "grads") if backward else None
        return wire.loss_to_protobuf(result), wire.PROTOBUF, commit

    def _optim_step(self, model_id: str, body: Mapping[str, Any]) -> Outcome:
        if body.get("optimizer_params") is not None:
            name = body["optimizer_params"]["type"]
            raise OperationFailed(f"The optimizer {name!r} is not offered; send adam_params.")
        params = {
            name: float(v) for name, v in (body.get("adam_params") or {}).items() if v is not None
        }
        known = {name: value for name, value in params.items() if hasattr(AdamSpec, name)}
        metrics, changed = self._engine.optim_step(self._adapter(model_id), AdamSpec(**known))
        result = orjson.dumps({"type": "optim_step", "metrics": metrics})
        return result, wire.JSON, self._changed(model_id, changed, "weights", "moments", "grads")

    def _changed(self, model_id: str, adapter: Adapter, *groups: str) -> _Keep:
        assignments = ", ".join(f"{group} = ?" for group in groups)
        values = [safetensors.numpy.save(getattr(adapter, group)) for group in groups]

        def commit() -> None:
            self._store.write(
                f"UPDATE adapters SET step = ?, {assignments} WHERE model_id = ?",  # noqa: S608
                adapter.step,
                *values,
                model_id,
            )

        return _Keep(adapter, commit)

    # ---- checkpoints ------------------------------------------------------------------------

    def _save_weights(self, model_id: str, body: Mapping[str, Any]) -> Outcome:
        return self._save(model_id, body, "weights", overwrite=bool(body.get("overwrite")))

    def _save_weights_for_sampler(self, model_id: str, body: Mapping[str, Any]) -> Outcome:
        if body.get("path") is not None:
            return self._save(model_id, body, "sampler_weights", overwrite=False)
        model = self._store.get("models", model_id)
        assert model is not None
        adapter = self._adapter(model_id)
        number = int(body["sampling_session_seq_id"])
        sampler_id = f"{model['session_id']}:sample:{number}"

        def commit() -> None:
            if self._store.get("samplers", sampler_id) is None:
                self._store.insert(
                    "samplers",
                    id=sampler_id,
                    session_id=model["session_id"],
                    owner=model["owner"],
                    created=time.time(),
                    base_model=adapter.base_model,
                    weights=safetensors.numpy.save(adapter.weights),
                )

        result = {
            "type": "save_weights_for_sampler",
            "path": None,
            "sampling_session_id": sampler_id,
        }
        return orjson.dumps(result), wire.JSON, commit

    def _save(
        self, model_id: str, body: Mapping[str, Any], kind: str, *, overwrite: bool
    ) -> Outcome:
        model = self._store.get("models", model_id)
        assert model is not None
        name = body.get("path") or self._free_name(model_id, kind)
        location = Location(model_id, kind, name)
        known = self._store.get("checkpoints", location.path)
        if known is not None and not overwrite and not _is_expired(known):
            hint = ": pass overwrite, or choose another name" if kind == "weights" else ""
            raise OperationFailed(f"The checkpoint {location.path} exists{hint}.")
        adapter = self._adapter(model_id)
        size = self._files.write(location, adapter, with_moments=kind == "weights")
        ttl = body.get("ttl_seconds")
        now = time.time()

        def commit() -> None:
            self._store.write("DELETE FROM checkpoints WHERE path = ?", location.path)
            self._store.insert(
                "checkpoints",
                path=location.path,
                model_id=model_id,
                kind=kind,
                name=name,
                owner=model["owner"],
                created=now,
                expires=now + int(ttl) if ttl is not None else None,
                size=size,
                facts={
                    "base_model": adapter.base_model,
                    "lora": asdict(adapter.lora),
                    "user_metadata": body.get("user_metadata"),
                },
            )

        operation = "save_weights" if kind == "weights" else "save_weights_for_sampler"
        result = {"type": operation, "path": location.path}
        return orjson.dumps(result), wire.JSON, commit

    def _free_name(self, model_id: str, kind: str) -> str:
        model = self._store.get("models", model_id)
        assert model is not None
        return f"{model['next_seq_id']:06d}-{kind.split('_', maxsplit=1)[0]}"

    def _load_weights(self, model_id: str, body: Mapping[str, Any]) -> Outcome:
        path = body["path"]
        loaded = self.load(path, with_moments=bool(body["optimizer"]))
        model = self._store.get("models", model_id)
        assert model is not None
        commit: _Keep
        if model["ready"]:
            adapter = self._adapter(model_id)
            if adapter.base_model != loaded.base_model or adapter.lora.rank != loaded.lora.rank:
                raise OperationFailed(
                    f"{path} is an adapter of rank {loaded.lora.rank} for {loaded.base_model}; the model "
                    f"is one of rank {adapter.lora.rank} for {adapter.base_model}."
                )
            changed = evolve(loaded, lora=adapter.lora, grads={})
            commit = self._changed(model_id, changed, "weights", "moments", "grads")
        else:
            wanted = body.get("base_model")
            if wanted is not None and wanted != loaded.base_model:
                raise OperationFailed(f"{path} is for {loaded.base_model}, not for {wanted}.")
            commit = self._created(model_id, loaded)
        result = {"type": "load_weights", "path": path, "model_id": model_id}
        return orjson.dumps(result), wire.JSON, commit

    def load(self, path: str, *, with_moments: bool) -> Adapter:
        """The adapter of a checkpoint that exists and has not expired."""
        location = checkpoints.parse(path)
        row = self._store.get("checkpoints", path)
        if location is None or row is None or _is_expired(row):
            raise OperationFailed(f"There is no checkpoint {path}.")
        try:
            return self._files.read(location, with_moments=with_moments)
        except FileNotFoundError:
            raise OperationFailed(f"The file of checkpoint {path} is gone.", "server") from None

    # ---- sampling ---------------------------------------------------------------------------

    def _sample(self, jobs: Sequence[Job]) -> None:
        """Sample what is asked of one sampler, together; what is refused fails alone."""
        good: list[tuple[Job, SampleSpec]] = []
        base_model, weights = "", None
        for job in jobs:
            try:
                body = job.payload if job.payload is not None else _decode(job)
                base_model, weights = self._weights(job.request.target, body)
                spec = wire.sample_spec(body)
                self._engine.check_sample(base_model, spec)
            except (OperationFailed, EngineError) as error:
                failure = (
                    error if isinstance(error, OperationFailed) else OperationFailed(str(error))
                )
                self._record(job, failure)
            else:
                good.append((job, spec))
        if not good:
            return
        try:
            results = self._engine.sample(base_model, weights, [spec for _, spec in good])
        except Exception as error:
            logger.exception("asample failed")
            for job, _ in good:
                self._record(job, OperationFailed(f"{type(error).__name__} in asample", "server"))
            return
        for (job, _), result in zip(good, results, strict=True):
            self._record(job, (wire.sample_to_protobuf(result), wire.PROTOBUF, None))

    def _weights(self, target: str, body: Mapping[str, Any]) -> tuple[str, Tensors | None]:
        """The base model and the weights of a sampler."""
        sampler = self._store.get("samplers", target) or Row(
            base_model=body.get("base_model"), model_path=body.get("model_path"), weights=None
        )
        if target not in self._sampler_weights:
            if sampler["weights"] is not None:
                tensors = safetensors.numpy.load(sampler["weights"])
            elif sampler["model_path"] is not None:
                tensors = self.load(sampler["model_path"], with_moments=False).weights
            else:
                tensors = None
            self._sampler_weights[target] = tensors
            while len(self._sampler_weights) > _ADAPTERS_IN_MEMORY:
                self._sampler_weights.popitem(last=False)
        base_model = sampler["base_model"]
        if base_model is None:
            base_model = self.load(sampler["model_path"], with_moments=False).base_model
        return base_model, self._sampler_weights[target]


class _Keep:
    """A commit after which the model's adapter is this one."""

    def __init__(self, adapter: Adapter, commit: Commit) -> None:
        self.adapter = adapter
        self._commit = commit

    def __call__(self) -> None:
        self._commit()


def _decode(job: Job) -> Any:
    """A request's body, read again after a restart."""
    request = job.request
    assert request.body is not None, "a pending request has its body"
    if request.media_type == wire.PROTOBUF:
        return wire.parse_protobuf(request.body)
    return orjson.loads(request.body)


def _config(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value.text if value.WhichOneof("value") == "text" else value.number
        for name, value in values.items()
    }


def _is_expired(checkpoint: Row) -> bool:
    return checkpoint["expires"] is not None and checkpoint["expires"] < time.time()
