"""What operations do: numbers from the engine, committed together with the state they leave behind."""

from __future__ import annotations

import logging
import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import orjson
import safetensors.numpy
from attrs import asdict, evolve, frozen

from tinker_local import model_names
from tinker_local.engine.base import (
    AdamSpec,
    Adapter,
    Engine,
    EngineError,
    Example,
    Listener,
    LoraSpec,
    SampleResult,
    SampleSpec,
    Tensors,
)
from tinker_local.engine.graph import Graph
from tinker_local.errors import OperationFailed
from tinker_local.model_names import ModelName
from tinker_local.options import Options
from tinker_local.protocol import wire
from tinker_local.state.catalog import SAVES, Catalog, may_read
from tinker_local.state.checkpoints import Location
from tinker_local.state.recordings import Provenance, Recordings
from tinker_local.state.store import DONE, FAILED, Request, Row, Store
from tinker_proto import tinker_pb2 as pb

logger = logging.getLogger("tinker_local")

_ADAPTERS_IN_MEMORY = 16
SEQ_IDS_OF_A_CLONE = 10**9
"""The sample seq_ids of a process begin at its number times this."""
_GROUPS = ("weights", "moments", "grads")
_OPERATIONS = {kind: operation for operation, kind in SAVES.items()}

T = TypeVar("T")
Commit = Callable[[], None]
"""Writes what an operation changes, inside the transaction that records its result. May fail it."""
Outcome = tuple[bytes, str, Commit | None]
"""The result, its media type, and what to commit with it."""


class Operations:
    """Executes requests, on the scheduler's thread."""

    def __init__(self, store: Store, engine: Engine, catalog: Catalog, options: Options) -> None:
        self._store = store
        self._engine = engine
        self._catalog = catalog
        self._recordings = Recordings(store, options)
        self.listeners: dict[str, Listener] = {}
        """Who is told each token of a sample as it is drawn, by request."""
        self._adapters: OrderedDict[str, Adapter] = OrderedDict()
        self._sampler_weights: OrderedDict[str, Tensors] = OrderedDict()

    def execute(self, requests: Sequence[Request]) -> None:
        """Run requests of one target, and record their results.

        Raises when they cannot be recorded; then nothing has happened.
        """
        started = self._store.now()
        if requests[0].operation == "asample":
            outcomes = self._sample(requests)
            with self._store.transaction():
                for request, outcome in zip(requests, outcomes, strict=True):
                    self._record(request, outcome, started)
            return
        for request in requests:
            self._record(request, self._attempt(request, self._train), started)
            started = self._store.now()

    def _train(self, request: Request) -> Outcome:
        run = getattr(self, f"_{request.operation}")
        outcome: Outcome = run(request.target, self._body(request))
        return outcome

    # ---- recording --------------------------------------------------------------------------

    def _body(self, request: Request) -> Any:
        """The body, decoded: bodies are kept on disk, not in memory, until their turn comes."""
        content = self._store.body(request.id)
        if request.media_type == wire.PROTOBUF:
            return wire.parse_protobuf(content)
        return wire.members(wire.parse_json(content))

    def _attempt(self, request: Request, run: Callable[[Request], T]) -> T | OperationFailed:
        try:
            return run(request)
        except OperationFailed as failure:
            return failure
        except EngineError as error:
            return OperationFailed(str(error))
        except sqlite3.Error:
            raise  # it has not happened; the scheduler tries again
        except Exception as error:
            logger.exception("%s failed", request.operation)
            return OperationFailed(f"{type(error).__name__} in {request.operation}", "server")

    def _record(self, request: Request, outcome: Outcome | OperationFailed, started: float) -> None:
        try:
            with self._store.transaction():
                self._write(request, outcome, started)
        except OperationFailed as failure:  # only its commit has found out
            with self._store.transaction():
                self._write(request, failure, started)
            return
        # Only now: had the transaction failed, memory and disk would have parted.
        if not isinstance(outcome, OperationFailed) and isinstance(outcome[2], _Keep):
            self._remember(request.target, outcome[2].adapter)

    def _write(self, request: Request, outcome: Outcome | OperationFailed, started: float) -> None:
        if isinstance(outcome, OperationFailed):
            failure = orjson.dumps({"error": str(outcome), "category": outcome.category})
            self._store.finish(request.id, FAILED, failure, wire.JSON, started=started)
            self.announce(request, FAILED, len(failure))
        else:
            result, media_type, commit = outcome
            if commit is not None:
                commit()
            self._store.finish(request.id, DONE, result, media_type, started=started)
            self.announce(request, DONE, len(result))
        if request.seq_id is not None:
            self._store.write(
                "UPDATE models SET next_seq_id = ? WHERE id = ?", request.seq_id + 1, request.target
            )

    def announce(self, request: Request, state: str, size: int) -> None:
        """Tell the completions feed of a sampler's process that its request has ended."""
        _, _, number = request.id.rpartition(":")
        if request.operation == "asample" and number.isdigit():
            clone = int(number) // SEQ_IDS_OF_A_CLONE
            self._store.complete(request.target, clone, request.id, state, size)

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
                why = "is unloaded" if model and model["unloaded"] else "was not created"
                raise OperationFailed(f"The model {model_id} {why}.")
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
                wire.provenance(body),
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
        provenance = [Provenance(model_input=(), targets=())] * len(examples)
        return self._loss(
            model_id, examples, provenance, body["loss_fn"], config, backward=backward
        )

    def _loss(
        self,
        model_id: str,
        examples: Sequence[Example],
        provenance: Sequence[Provenance],
        loss_fn: str,
        config: Mapping[str, Any],
        *,
        backward: bool,
    ) -> Outcome:
        if loss_fn == "custom":
            config = {"graph": self._graph(model_id, config)}
        recordings: set[str] = set()
        if loss_fn == "stable_reinforce":
            model = self._store.get("models", model_id)
            assert model is not None
            examples, recordings = self._recordings.attribute(examples, provenance, model)
        adapter = self._adapter(model_id)
        result, changed = self._engine.forward(
            adapter, examples, loss_fn, config, backward=backward
        )
        commit: Commit = self._changed(model_id, changed, "grads") if backward else lambda: None
        tokens = sum(len(example.tokens) for example in examples)

        def commit_and_count() -> None:
            commit()
            self._use(model_id, "training", tokens)
            self._recordings.use(recordings)

        counted = (
            _Keep(commit.adapter, commit_and_count)
            if isinstance(commit, _Keep)
            else commit_and_count
        )
        return wire.loss_to_protobuf(result), wire.PROTOBUF, counted

    def _graph(self, model_id: str, config: Mapping[str, Any]) -> Graph:
        """The loss that loss_fn_config names, which must be of the model's owner."""
        loss_id = config.get("loss_id")
        model, loss = self._store.get("models", model_id), None
        if isinstance(loss_id, str):
            loss = self._store.get("losses", loss_id)
        if model is None or loss is None or loss["owner"] != model["owner"]:
            raise OperationFailed(f"There is no custom loss with loss_id {loss_id!r}.")
        return Graph.parse(loss["facts"])

    def _create_custom_loss(self, target: str, body: Mapping[str, Any]) -> Outcome:
        session = self._store.get("sessions", body["session_id"])
        assert session is not None, "it was there when this was promised"
        Graph.parse(body)
        loss_id = loss_id_of(body)

        def commit() -> None:
            facts = {name: body[name] for name in ("name", "inputs", "graph")}
            self._store.insert("losses", id=loss_id, owner=session["owner"], facts=facts)

        return orjson.dumps({"type": "create_custom_loss", "loss_id": loss_id}), wire.JSON, commit

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
                f"UPDATE adapters SET step = ?, {assignments} WHERE model_id = ?",
                adapter.step,
                *values,
                model_id,
            )

        return _Keep(adapter, commit)

    # ---- checkpoints ------------------------------------------------------------------------

    def _save_weights(self, model_id: str, body: Mapping[str, Any]) -> Outcome:
        return self._save(model_id, body, "weights", overwrite=bool(body.get("overwrite")))

    def _save_weights_external(self, model_id: str, body: Mapping[str, Any]) -> Outcome:
        return self._save(model_id, body, "external_weights", overwrite=False)

    def _save_weights_for_sampler(self, model_id: str, body: Mapping[str, Any]) -> Outcome:
        if body.get("path") is not None:
            return self._save(model_id, body, "sampler_weights", overwrite=False)
        model = self._store.get("models", model_id)
        assert model is not None
        adapter = self._adapter(model_id)
        number = int(body["sampling_session_seq_id"])
        sampler_id = f"{model['session_id']}:sample:{number}"

        def commit() -> None:
            if self._store.get("samplers", sampler_id) is not None:
                raise OperationFailed(
                    f"sampling_session_seq_id {number} is used by another sampler."
                )
            self._store.insert(
                "samplers",
                id=sampler_id,
                session_id=model["session_id"],
                owner=model["owner"],
                created=self._store.now(),
                base_model=adapter.base_model,
                model_id=model_id,
            )
            self._store.insert(
                "ephemeral_weights",
                sampler_id=sampler_id,
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
        if self._catalog.get(location.path) is not None and not overwrite:
            hint = ": pass overwrite, or choose another name" if kind == "weights" else ""
            raise OperationFailed(f"The checkpoint {location.path} exists{hint}.")
        adapter = self._adapter(model_id)
        # A number that is the same when this is tried again, and another one for the next save.
        save = str(model["next_seq_id"])
        recipients = body.get("age_encryption_recipients") or ()
        folder = self._catalog.files.write(location, save, adapter, recipients)
        facts = {
            "base_model": adapter.base_model,
            "lora": asdict(adapter.lora),
            "user_metadata": body.get("user_metadata"),
        }
        ttl = body.get("ttl_seconds")

        def commit() -> None:
            self._catalog.add(location, folder, model["owner"], facts, ttl_seconds=ttl)
            self._use(model_id, "checkpoint", 1)

        size = self._catalog.files.size(folder)
        result = {"type": _OPERATIONS[kind], "path": location.path, "size_bytes": size}
        return orjson.dumps(result), wire.JSON, commit

    def _free_name(self, model_id: str, kind: str) -> str:
        model = self._store.get("models", model_id)
        assert model is not None
        return f"{model['next_seq_id']:06d}-{kind.split('_', maxsplit=1)[0]}"

    def _load_weights(self, model_id: str, body: Mapping[str, Any]) -> Outcome:
        path = body["path"]
        model = self._store.get("models", model_id)
        assert model is not None
        checkpoint = self._checkpoint(path, model["owner"])
        if checkpoint["kind"] != "weights":
            raise OperationFailed(f"{path} is not a training checkpoint (…/weights/…).")
        loaded = self._load(checkpoint, with_moments=bool(body["optimizer"]))
        commit: _Keep
        if model["ready"]:
            adapter = self._adapter(model_id)
            if (adapter.base_model, _shapes(adapter)) != (loaded.base_model, _shapes(loaded)):
                raise OperationFailed(
                    f"{path} does not fit the model: it is {_kind(loaded)}, the model {_kind(adapter)}."
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

    def _load(self, checkpoint: Row, *, with_moments: bool) -> Adapter:
        try:
            return self._catalog.files.read(checkpoint["folder"], with_moments=with_moments)
        except FileNotFoundError:
            raise OperationFailed(
                f"The files of {checkpoint['path']} are gone.", "server"
            ) from None

    def _checkpoint(self, path: str, user: str) -> Row:
        """A checkpoint that exists, has not expired, and is the user's or public."""
        row = self._catalog.get(path)
        if row is None:
            raise OperationFailed(f"There is no checkpoint {path}.")
        if not may_read(row, user):
            raise OperationFailed(f"You do not have access to {path}.")
        return row

    # ---- sampling ---------------------------------------------------------------------------

    def _sample(self, requests: Sequence[Request]) -> list[Outcome | OperationFailed]:
        """Sample what is asked of one target, together; what is refused fails alone."""
        source = self._attempt(requests[0], lambda request: self._source(request.target))
        if isinstance(source, OperationFailed):
            return [source] * len(requests)
        base_model, checkpoint = source.base_model, source.checkpoint
        sampler = self._store.get("samplers", requests[0].target)
        session_id = sampler["session_id"] if sampler else ""

        def wanted(request: Request) -> tuple[SampleSpec, Mapping[str, Any]]:
            if checkpoint is not None and not may_read(checkpoint, request.owner):
                raise OperationFailed(f"You do not have access to {checkpoint['path']}.")
            body = self._body(request)
            spec = evolve(wire.sample_spec(body), heard=self.listeners.get(request.id))
            self._engine.check_sample(base_model, spec)
            if body.get("record_stability_info") and not session_id:
                raise OperationFailed(
                    "record_stability_info needs a sampling_session_id: what is recorded belongs to a session."
                )
            return spec, body

        asked = [self._attempt(request, wanted) for request in requests]
        good = [one[0] for one in asked if not isinstance(one, OperationFailed)]
        results = self._attempt(
            requests[0], lambda _: self._engine.sample(base_model, source.weights, good)
        )
        outcomes: list[Outcome | OperationFailed] = []
        for request, one in zip(requests, asked, strict=True):
            if isinstance(one, OperationFailed):
                outcomes.append(one)
            elif isinstance(results, OperationFailed):
                outcomes.append(results)
            else:
                result, (spec, body) = results.pop(0), one
                content = wire.sample_to_protobuf(result, body.get("target_prompt_logprobs"))
                commit = partial(
                    self._use_sample,
                    request,
                    base_model,
                    session_id,
                    spec,
                    result,
                    record=bool(body.get("record_stability_info")),
                )
                outcomes.append((content, wire.PROTOBUF, commit))
        return outcomes

    def _use(self, model_id: str, kind: str, amount: float) -> None:
        model = self._store.get("models", model_id)
        assert model is not None
        base_model = model["facts"]["base_model"]
        self._store.use(model["owner"], model["session_id"], base_model, kind, amount)

    def _use_sample(
        self,
        request: Request,
        base_model: str,
        session_id: str,
        spec: SampleSpec,
        result: SampleResult,
        *,
        record: bool,
    ) -> None:
        if record:
            self._recordings.add(request, session_id, spec, result)
        sampled = sum(len(sequence.tokens) for sequence in result.sequences)
        for kind, tokens in (("sampling_prefill", len(spec.prompt)), ("sampling_sample", sampled)):
            self._store.use(request.owner, session_id, base_model, kind, tokens)

    def _source(self, target: str) -> _Source:
        """What is behind a sampler, a tinker path, or the name of a base model."""
        sampler = self._store.get("samplers", target)
        if sampler is None:
            model = model_names.parse(target)
        else:
            model = ModelName(sampler["base_model"], sampler["model_path"])
        if model.path is not None:
            checkpoint = self._catalog.get(model.path)
            if checkpoint is None:
                raise OperationFailed(f"There is no checkpoint {model.path}.")
            # A name can be saved to again: what is cached is what is in this folder.
            weights = self._cached(
                checkpoint["folder"], lambda: self._load(checkpoint, with_moments=False).weights
            )
            base_model = model.base_model or checkpoint["facts"]["base_model"]
            return _Source(base_model, weights, checkpoint)
        base_model = model.base_model or ""
        if sampler is None or sampler["model_id"] is None:
            return _Source(base_model)
        return _Source(base_model, self._cached(target, lambda: self._ephemeral(target)))

    def _ephemeral(self, sampler_id: str) -> Tensors:
        query = "SELECT weights FROM ephemeral_weights WHERE sampler_id = ?"
        rows = self._store.select(query, sampler_id)
        if not rows:
            raise OperationFailed(f"The weights of the sampler {sampler_id} are no longer kept.")
        weights: Tensors = safetensors.numpy.load(rows[0]["weights"])
        return weights

    def _cached(self, key: str, load: Callable[[], Tensors]) -> Tensors:
        weights = self._sampler_weights.pop(key, None) or load()
        self._sampler_weights[key] = weights  # as the one used last
        while len(self._sampler_weights) > _ADAPTERS_IN_MEMORY:
            self._sampler_weights.popitem(last=False)
        return weights


@frozen
class _Source:
    """What is sampled from."""

    base_model: str
    weights: Tensors | None = None
    checkpoint: Row | None = None


def loss_id_of(body: Mapping[str, Any]) -> str:
    return f"{body['session_id']}:loss:{int(body['custom_loss_seq_id'])}"


class _Keep:
    """A commit after which the model's adapter is this one."""

    def __init__(self, adapter: Adapter, commit: Commit) -> None:
        self.adapter = adapter
        self._commit = commit

    def __call__(self) -> None:
        self._commit()


def _config(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value.text if value.WhichOneof("value") == "text" else value.number
        for name, value in values.items()
    }


def _shapes(adapter: Adapter) -> dict[str, tuple[int, ...]]:
    return {name: weight.shape for name, weight in adapter.weights.items()}


def _kind(adapter: Adapter) -> str:
    parts = ("attn", "mlp", "unembed")
    trained = [part for part in parts if getattr(adapter.lora, f"train_{part}")]
    return f"of rank {adapter.lora.rank} on {', '.join(trained)} of {adapter.base_model}"
