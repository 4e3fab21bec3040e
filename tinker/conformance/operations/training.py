"""Models, their gradients and optimizer steps."""

from __future__ import annotations

from tinker._codec import zstd
from tinker._codec.media_types import JSON, PROTOBUF
from tinker.conformance.checks import check
from tinker.conformance.outcomes import Failed, NotOffered, expect
from tinker.conformance.payloads import TOKENS, Example, json_batch, protobuf_batch
from tinker.conformance.subject import Subject, model_of


@check("create_model", "training", "create_session", "get_server_capabilities")
def create_model(s: Subject) -> None:
    """The response is a promise of a `CreateModelResponse`, which names the model."""
    body = s.model_body()
    promise = s.call("create_model", body)
    result = s.result("create_model", promise)
    s.model = model_of(result["model_id"])
    s.keep("create_model", (body, promise))


@check("get_info", "training", "create_model")
def get_info(s: Subject) -> None:
    """Facts about a model; `model_data.model_name` is the base model."""
    info = s.call("get_info", {"model_id": s.model.id, "type": "get_info"})
    expect(
        info["model_id"] == s.model.id,
        f"model_id: expected {s.model.id}, found {info['model_id']}",
    )
    expect(bool(info["model_data"].get("model_name")), "model_data.model_name is missing")


@check("forward_backward", "training", "create_model")
def forward_backward(s: Subject) -> None:
    """The body is JSON or a protobuf `ForwardBackwardRequest`; the response is a promise of a `ForwardBackwardOutput`."""
    batch = [Example()]
    try:
        exchange = s.send(
            "forward_backward", protobuf_batch(s.model.id, s.model.next_seq_id, batch)
        )
        accepted = 200 <= exchange.status < 300
    except Failed:
        accepted = False  # how the server must refuse it is a check of its own
    if accepted:
        s.encoding = PROTOBUF
    else:
        s.encoding = JSON
        exchange = s.send("forward_backward", json_batch(s.model.id, s.model.next_seq_id, batch))
        expect(
            200 <= exchange.status < 300,
            f"expected a 2xx status for protobuf or JSON, found {exchange.status} for both",
        )
    s.model.take()
    promise = exchange.json()
    s.fits("forward_backward", "UntypedAPIFuture", promise)
    losses = s.losses(promise)
    expect(
        len(losses.logprobs) == len(TOKENS),
        f"expected {len(TOKENS)} logprobs, one a target, found {len(losses.logprobs)}",
    )
    highest = max(losses.logprobs)
    expect(highest <= 1e-4, f"expected no logprob above 0, found {highest:.4f}")
    s.keep("loss", (promise, losses))


@check("forward_backward in JSON", "training", "forward_backward")
def forward_backward_json(s: Subject) -> None:
    """JSON is the contract's canonical encoding."""
    exchange = s.send("forward_backward", json_batch(s.model.id, s.model.next_seq_id, [Example()]))
    if exchange.status == 415:
        raise NotOffered("415: the server accepts protobuf alone")
    expect(200 <= exchange.status < 300, f"expected a 2xx status, found {exchange.status}")
    s.model.take()
    s.result("forward_backward", exchange.json(), headers={"accept": JSON})


@check("forward_backward in protobuf", "training", "forward_backward")
def forward_backward_protobuf(s: Subject) -> None:
    """A server that does not accept protobuf refuses it with 415."""
    if s.encoding == PROTOBUF:
        return
    body = protobuf_batch(s.model.id, s.model.next_seq_id, [Example()])
    status = s.send("forward_backward", body).status
    expect(status == 415, f"a protobuf body: expected a 2xx status or 415, found {status}")
    raise NotOffered("415: the server accepts JSON alone")


@check("forward_backward in zstd", "training", "forward_backward")
def forward_backward_zstd(s: Subject) -> None:
    """With `proto_compress_fwdbwd` the protobuf body is one zstd frame, with Content-Encoding zstd."""
    if s.encoding != PROTOBUF or not s.results.get("config", {}).get("proto_compress_fwdbwd"):
        raise NotOffered("client_config does not ask for it")
    body = zstd.compress(protobuf_batch(s.model.id, s.model.take(), [Example()]))
    s.losses(s.call("forward_backward", body, headers={"content-encoding": "zstd"}))


@check("forward", "training", "forward_backward")
def forward(s: Subject) -> None:
    """The loss without gradients, as JSON to `forward`; or `forward_backward` with `forward_only` in protobuf."""
    found = s.forward(s.model)
    _, expected = s.results["loss"]
    differences = [abs(a - b) for a, b in zip(found.logprobs, expected.logprobs, strict=True)]
    expect(
        max(differences) < 1e-3,
        "expected the logprobs of forward_backward, as no step was taken since, "
        f"found some that differ by up to {max(differences):.4f}",
    )


@check("optim_step", "training", "forward_backward")
def optim_step(s: Subject) -> None:
    """Applies the accumulated gradients; the loss of the same batch falls."""
    s.stepped(s.model)
    after = s.trained(s.model)
    s.stepped(s.model)
    _, before = s.results["loss"]
    expect(
        after.total > before.total,
        f"after a step, expected a loss of the same batch below {-before.total:.4f}, "
        f"found {-after.total:.4f}",
    )


@check("create_custom_loss", "training", "create_session")
def create_custom_loss(s: Subject) -> None:
    """A loss is a graph of tensor operations; the promise is of its `loss_id`."""
    nodes = [
        {"op": "placeholder", "name": "logprobs", "target": "logprobs", "args": [], "kwargs": {}},
        {
            "op": "call_method",
            "name": "total",
            "target": "sum",
            "args": [{"ref": "logprobs"}],
            "kwargs": {},
        },
        {
            "op": "call_function",
            "name": "loss",
            "target": "operator.neg",
            "args": [{"ref": "total"}],
            "kwargs": {},
        },
        {
            "op": "output",
            "name": "output",
            "target": "output",
            "args": [{"ref": "loss"}],
            "kwargs": {},
        },
    ]
    body = {
        "session_id": s.session_id,
        "custom_loss_seq_id": 0,
        "name": "conformance",
        "inputs": [{"name": "logprobs", "rank": 1}],
        "graph": {"format": 1, "nodes": nodes},
        "type": "create_custom_loss",
    }
    result = s.do("create_custom_loss", body)
    expect(bool(result["loss_id"]), "expected a non-empty loss_id")


@check("unload_model", "training", "create_model")
def unload_model(s: Subject) -> None:
    """Frees a model."""
    model = s.new_model()
    s.do("unload_model", {"model_id": model.id, "type": "unload_model"})
    s.extra_models.remove(model.id)
