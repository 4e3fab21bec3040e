"""Gradients, custom losses, and optimizer steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from tinker._codec.media_types import PROTOBUF
from tinker_local.engine.base import AdamSpec, Example, ModelSpec
from tinker_local.engine.graph import Graph
from tinker_local.errors import OperationFailed
from tinker_local.protocol.operations.outcome import Context, Outcome, json_outcome
from tinker_local.protocol.wire import batches, results
from tinker_local.state.recordings import Provenance
from tinker_proto import tinker_pb2 as pb


def forward_backward(context: Context, model_id: str, body: Any) -> Outcome:
    if isinstance(body, pb.ForwardBackwardRequest):
        return _loss(
            context,
            model_id,
            batches.examples_from_protobuf(body, _spec(context, model_id)),
            batches.provenance(body),
            body.loss_fn,
            {**body.loss_fn_config, **_config(body.loss_fn_config_v2)},
            backward=not body.forward_only,
        )
    return _json_loss(context, model_id, body["forward_backward_input"], backward=True)


def forward(context: Context, model_id: str, body: Any) -> Outcome:
    return _json_loss(context, model_id, body["forward_input"], backward=False)


def _json_loss(
    context: Context, model_id: str, body: Mapping[str, Any], *, backward: bool
) -> Outcome:
    examples = batches.examples_from_json(body, _spec(context, model_id))
    return _loss(
        context,
        model_id,
        examples,
        [Provenance(model_input=(), targets=())] * len(examples),
        body["loss_fn"],
        body.get("loss_fn_config") or {},
        backward=backward,
    )


def _spec(context: Context, model_id: str) -> ModelSpec:
    return context.engine.models[context.adapters.get(model_id).base_model]


def _config(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value.text if value.WhichOneof("value") == "text" else value.number
        for name, value in values.items()
    }


def _loss(
    context: Context,
    model_id: str,
    examples: Sequence[Example],
    provenance: Sequence[Provenance],
    loss_fn: str,
    config: Mapping[str, Any],
    *,
    backward: bool,
) -> Outcome:
    if loss_fn == "custom":
        config = {"graph": _graph(context, model_id, config)}
    recordings: set[str] = set()
    if loss_fn == "stable_reinforce":
        examples, recordings = context.recordings.attribute(
            examples, provenance, context.model(model_id)
        )
    result, changed = context.engine.forward(
        context.adapters.get(model_id), examples, loss_fn, config, backward=backward
    )

    replace = None
    if backward and loss_fn == "stable_reinforce":
        # To repeat it, the log would need the recordings of samples, which are not kept as long.
        replace = context.adapters.replace(model_id, changed)

    def commit() -> None:
        if replace is not None:
            replace()
        context.count(model_id, "training", sum(len(example.tokens) for example in examples))
        context.recordings.use(recordings)

    return Outcome(
        result=results.loss_to_protobuf(result),
        media_type=PROTOBUF,
        commit=commit,
        adapter=changed if backward else None,
        metrics={**result.metrics, "tokens:sum": sum(len(one.tokens) for one in examples)}
        if backward
        else {},
        weight=len(examples),
        can_be_repeated=backward and replace is None,
    )


# ---- custom losses -----------------------------------------------------------------


def create_custom_loss(context: Context, target: str, body: Mapping[str, Any]) -> Outcome:
    session = context.store.get("sessions", body["session_id"])
    assert session is not None, "it existed when this was promised"
    Graph.parse(body)
    loss_id = loss_id_of(body)

    def commit() -> None:
        facts = {name: body[name] for name in ("name", "inputs", "graph")}
        context.store.insert("losses", id=loss_id, owner=session["owner"], facts=facts)

    return json_outcome({"type": "create_custom_loss", "loss_id": loss_id}, commit)


def loss_id_of(body: Mapping[str, Any]) -> str:
    return f"{body['session_id']}:loss:{int(body['custom_loss_seq_id'])}"


def _graph(context: Context, model_id: str, config: Mapping[str, Any]) -> Graph:
    """The loss that loss_fn_config names. It must belong to the model's owner."""
    loss_id = config.get("loss_id")
    loss = context.store.get("losses", loss_id) if isinstance(loss_id, str) else None
    if loss is None or loss["owner"] != context.model(model_id)["owner"]:
        raise OperationFailed(f"Unknown loss_id of a custom loss: {loss_id!r}.")
    return Graph.parse(loss["facts"])


# ---- optimizer steps ----------------------------------------------------------------------------


def optim_step(context: Context, model_id: str, body: Mapping[str, Any]) -> Outcome:
    if body.get("optimizer_params") is not None:
        name = body["optimizer_params"]["type"]
        raise OperationFailed(f"The optimizer {name!r} is not supported; send adam_params.")
    params = {
        name: float(value)
        for name, value in (body.get("adam_params") or {}).items()
        if value is not None and hasattr(AdamSpec, name)
    }
    metrics, changed = context.engine.optim_step(context.adapters.get(model_id), AdamSpec(**params))
    return Outcome(
        result=orjson.dumps({"type": "optim_step", "metrics": metrics}),
        metrics=metrics,
        adapter=changed,
        can_be_repeated=True,
    )
