"""One check for each operation of the contract, in the order of a session."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from tinker._codec import zstd
from tinker._codec.media_types import EVENT_STREAM
from tinker.conformance.checks import Failed, NotOffered, check, expect
from tinker.conformance.subject import (
    JSON,
    PROTOBUF,
    TOKENS,
    Model,
    Subject,
    from_protobuf,
    json_batch,
    protobuf_batch,
)

# ---- service ----------------------------------------------------------------------------------


@check("healthz", "service")
def healthz(s: Subject) -> None:
    """Answers as soon as the server accepts requests. Needs no credential."""
    s.call("healthz", key=False)


@check("get_server_capabilities", "service")
def get_server_capabilities(s: Subject) -> None:
    """Lists the base models that can be trained or sampled."""
    models = s.call("get_server_capabilities")["supported_models"]
    names = [model["model_name"] for model in models if model.get("model_name")]
    expect(bool(names), "supported_models names no model")
    trainable = [
        m["model_name"] for m in models if m.get("model_name") and m.get("trainable") is not False
    ]
    if not s.base_model:
        s.base_model = (trainable or names)[0]


@check("client_config", "service")
def client_config(s: Subject) -> None:
    """Settings, read once; every member of the answer is optional."""
    s.keep("config", s.call("client_config", {"sdk_version": "0.38.0"}))


@check("client_dynamic_config", "service")
def client_dynamic_config(s: Subject) -> None:
    """Settings a client reads again from time to time; a server without the route means all defaults."""
    s.call("client_dynamic_config", {"sdk_version": "0.38.0"})


@check("telemetry", "service")
def telemetry(s: Subject) -> None:
    """Events of a client are accepted, at most 100 a request."""
    event = {
        "event": "SESSION_START",
        "event_id": "0b9d2f5e-6f4a-4c2b-9a53-0c2b7a6d1e11",
        "event_session_index": 0,
        "severity": "INFO",
        "timestamp": datetime.now(UTC).isoformat(),
    }
    body = {
        "events": [event],
        "platform": "Linux",
        "sdk_version": "0.38.0",
        "session_id": "sessionless-conformance",
    }
    s.call("telemetry", {**body, "process_uuid": "9c00a1a4-7be1-4d0e-8f56-1c5a3f8d2b10"})


@check("auth_token", "auth")
def auth_token(s: Subject) -> None:
    """A credential is exchanged for a JWT, which goes where the credential went."""
    jwt = s.call("auth_token", {})["jwt"]
    expect(jwt.count(".") == 2, "`jwt` is not of three parts")
    answer = s.send("get_server_capabilities", headers={"x-api-key": jwt})
    expect(answer.status == 200, f"the JWT itself is answered with {answer.status}")


@check("get_api_key", "auth")
def get_api_key(s: Subject) -> None:
    """Tells whose the API key is."""
    exchange = s.send("get_api_key")
    s.offered(exchange)
    if exchange.status in (401, 403):
        raise NotOffered(f"{exchange.status}: this credential is not an API key of an account")
    s.fits("get_api_key", "ApiKeyInfo", exchange.json())


@check("revoke_api_key", "auth")
def revoke_api_key(s: Subject) -> None:
    """Revokes exactly the key that is presented; a wrong one is refused, and no key revoked."""
    exchange = s.send("revoke_api_key", headers={"x-api-key": "tml-conformance-no-such-key"})
    s.offered(exchange)
    if 200 <= exchange.status < 300:
        raise NotOffered("any key is accepted here, and none can be revoked")
    expect(exchange.status in (401, 403), f"an unknown key was answered with {exchange.status}")
    expect(s.send("get_server_capabilities").status == 200, "our own key no longer works")


# ---- sessions ---------------------------------------------------------------------------------


@check("create_session", "sessions")
def create_session(s: Subject) -> None:
    """Models and samplers belong to a session."""
    body = {
        "tags": ["conformance"],
        "user_metadata": {"conformance": s.name},
        "sdk_version": "0.38.0",
        "type": "create_session",
    }
    s.session_id = s.call("create_session", body)["session_id"]
    expect(bool(s.session_id), "session_id is empty")


@check("session_heartbeat", "sessions", "create_session")
def session_heartbeat(s: Subject) -> None:
    """A session lives while heartbeats arrive."""
    s.call("session_heartbeat", {"session_id": s.session_id, "type": "session_heartbeat"})


@check("list_sessions", "sessions", "create_session")
def list_sessions(s: Subject) -> None:
    """Session ids, newest first; ours is among them."""
    sessions = s.call("list_sessions", query={"limit": 100, "offset": 0})["sessions"]
    expect(s.session_id in sessions, "our session is not among the newest 100")


@check("search_sessions", "sessions", "create_session")
def search_sessions(s: Subject) -> None:
    """Filters are joined by "and"; newest first."""
    found = s.call("search_sessions", {"user_metadata": {"conformance": s.name}, "limit": 5})[
        "sessions"
    ]
    expect(
        [one["session_id"] for one in found] == [s.session_id],
        "a search for our user_metadata does not find our session alone",
    )
    none = s.call(
        "search_sessions", {"session_id": s.session_id, "user_metadata": {"conformance": "another"}}
    )
    expect(none["sessions"] == [], "a filter that does not hold found our session")


@check("assign_session_project", "sessions", "create_session")
def assign_session_project(s: Subject) -> None:
    """A session can be moved to a project; a server refuses one it does not know with 400, 403 or 404."""
    exchange = s.send(
        "assign_session_project", {"project_id": s.name}, path={"session_id": s.session_id}
    )
    s.offered(exchange)
    expect(exchange.status in (200, 201, 202, 204, 400, 403, 404), f"answered {exchange.status}")


# ---- models -----------------------------------------------------------------------------------


@check("create_model", "training", "create_session", "get_server_capabilities")
def create_model(s: Subject) -> None:
    """The answer is a promise of a `CreateModelResponse`, and names the model."""
    body = s.model_body()
    promise = s.call("create_model", body)
    result = s.result("create_model", promise)
    s.model = Model(result["model_id"])
    s.keep("create_model", (body, promise))


@check("get_info", "training", "create_model")
def get_info(s: Subject) -> None:
    """Facts about a model; `model_data.model_name` is the base model."""
    info = s.call("get_info", {"model_id": s.model.id, "type": "get_info"})
    expect(info["model_id"] == s.model.id, "model_id is another")
    expect(bool(info["model_data"].get("model_name")), "model_data.model_name is missing")


@check("get_session", "sessions", "create_model")
def get_session(s: Subject) -> None:
    """Training runs and samplers of a session."""
    answer = s.call("get_session", path={"session_id": s.session_id})
    expect(s.model.id in answer["training_run_ids"], "our model is not among training_run_ids")


# ---- training ---------------------------------------------------------------------------------


@check("forward_backward", "training", "create_model")
def forward_backward(s: Subject) -> None:
    """The body is JSON, or a protobuf `ForwardBackwardRequest`; the answer is a promise of a `ForwardBackwardOutput`."""
    try:
        exchange = s.send("forward_backward", protobuf_batch(s.model.id, s.model.next_seq_id))
        taken = 200 <= exchange.status < 300
    except Failed:
        taken = False  # how it should have refused is a check of its own
    if taken:
        s.encoding = PROTOBUF
    else:
        s.encoding = JSON
        exchange = s.send("forward_backward", json_batch(s.model.id, s.model.next_seq_id))
        expect(
            200 <= exchange.status < 300, f"neither protobuf nor JSON is taken: {exchange.status}"
        )
    s.model.take()
    promise = exchange.json()
    s.fits("forward_backward", "UntypedAPIFuture", promise)
    logprobs, metrics = s.loss(promise)
    expect(len(logprobs) == len(TOKENS), f"{len(logprobs)} logprobs for {len(TOKENS)} targets")
    expect(all(value <= 1e-4 for value in logprobs), "a logprob is positive")
    s.keep("loss", (promise, logprobs, metrics))


@check("forward_backward in JSON", "training", "forward_backward")
def forward_backward_json(s: Subject) -> None:
    """JSON is the contract's canonical encoding."""
    body = json_batch(s.model.id, s.model.next_seq_id)
    exchange = s.send("forward_backward", body)
    if exchange.status == 415:
        raise NotOffered("415: only protobuf is taken")
    expect(200 <= exchange.status < 300, f"answered {exchange.status}")
    s.model.take()
    s.result("forward_backward", exchange.json(), headers={"accept": JSON})


@check("forward_backward in protobuf", "training", "forward_backward")
def forward_backward_protobuf(s: Subject) -> None:
    """A server that does not take protobuf says so with 415."""
    if s.encoding == PROTOBUF:
        return
    number = s.model.next_seq_id
    exchange = s.send("forward_backward", protobuf_batch(s.model.id, number))
    expect(exchange.status == 415, f"a protobuf body was answered with {exchange.status}, not 415")
    raise NotOffered("415: only JSON is taken")


@check("forward_backward in zstd", "training", "forward_backward")
def forward_backward_zstd(s: Subject) -> None:
    """With `proto_compress_fwdbwd` the protobuf body is one zstd frame, with Content-Encoding zstd."""
    if s.encoding != PROTOBUF or not s.results.get("config", {}).get("proto_compress_fwdbwd"):
        raise NotOffered("client_config does not ask for it")
    body = zstd.compress(protobuf_batch(s.model.id, s.model.take()))
    promise = s.call("forward_backward", body, headers={"content-encoding": "zstd"})
    s.loss(promise)


@check("forward", "training", "forward_backward")
def forward(s: Subject) -> None:
    """The loss without gradients, as JSON to `forward`; or `forward_backward` with `forward_only` in protobuf."""
    exchange = s.send("forward", json_batch(s.model.id, s.model.next_seq_id, kind="forward"))
    if exchange.status in (404, 405) and s.encoding == PROTOBUF:
        body = protobuf_batch(s.model.id, s.model.take(), forward_only=True)
        logprobs, _ = s.loss(s.call("forward_backward", body))
    else:
        s.offered(exchange)
        expect(200 <= exchange.status < 300, f"answered {exchange.status}")
        s.model.take()
        result = s.result("forward", exchange.json(), headers={"accept": JSON})
        logprobs = result["loss_fn_outputs"][0]["logprobs"]["data"]
    before = s.results["loss"][1]
    close = all(abs(a - b) < 1e-3 for a, b in zip(logprobs, before, strict=True))
    expect(close, "the logprobs differ from those before, though no step was made")


@check("optim_step", "training", "forward_backward")
def optim_step(s: Subject) -> None:
    """Applies the accumulated gradients; the loss of the same batch falls."""
    s.result("optim_step", s.step(s.model))
    logprobs, _ = s.loss(s.train(s.model))
    s.result("optim_step", s.step(s.model))
    before = s.results["loss"][1]
    expect(sum(logprobs) > sum(before), "the loss of the same batch did not fall after a step")


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
    expect(bool(result["loss_id"]), "loss_id is empty")


# ---- weights ----------------------------------------------------------------------------------


def saved(s: Subject, operation: str, **members: Any) -> dict[str, Any]:
    number = s.model.take()
    body = {"model_id": s.model.id, "seq_id": number, "path": s.name, "type": operation, **members}
    result: dict[str, Any] = s.do(operation, body)
    path = result.get("path")
    if path:
        s.checkpoints.append(path)
    return result


@check("save_weights", "weights", "create_model")
def save_weights(s: Subject) -> None:
    """Saves a training checkpoint under a name, and answers with its path."""
    path = saved(s, "save_weights", overwrite=False)["path"]
    expect(bool(path), "the result has no path")
    s.keep("weights", path)


@check("save_weights_for_sampler", "weights", "create_model")
def save_weights_for_sampler(s: Subject) -> None:
    """With `path`, saves a sampler checkpoint of that name, and answers with its path."""
    path = saved(s, "save_weights_for_sampler").get("path")
    expect(bool(path), "the result has no path")
    s.keep("sampler_weights", path)


@check("save_weights_for_sampler, ephemeral", "weights", "create_model")
def save_weights_for_sampler_ephemeral(s: Subject) -> None:
    """Without a name, makes an ephemeral sampler, numbered by `sampling_session_seq_id`."""
    body = {
        "model_id": s.model.id,
        "seq_id": s.model.take(),
        "sampling_session_seq_id": s.samplers,
        "type": "save_weights_for_sampler",
    }
    s.samplers += 1
    result = s.do("save_weights_for_sampler", body)
    expect(bool(result.get("sampling_session_id")), "the result has no sampling_session_id")


@check("save_weights_external", "weights", "create_model")
def save_weights_external(s: Subject) -> None:
    """Saves a checkpoint of kind `external_weights`."""
    number = s.model.next_seq_id
    body = {
        "model_id": s.model.id,
        "seq_id": number,
        "path": s.name,
        "type": "save_weights_external",
    }
    promise = s.call("save_weights_external", body)
    s.model.take()
    path = s.result("save_weights_external", promise)["path"]
    s.checkpoints.append(path)
    s.keep("external_weights", path)


@check("weights_info", "weights", "save_weights")
def weights_info(s: Subject) -> None:
    """Tells what is needed to create a training run from a checkpoint."""
    info = s.call("weights_info", {"tinker_path": s.results["weights"]})
    expect(info["base_model"] == s.base_model, f"base_model is {info['base_model']}")


@check("load_weights, new model", "weights", "save_weights")
def load_weights_create(s: Subject) -> None:
    """With `session_id` and `model_seq_id`, creates a model from a checkpoint, called `<session_id>:train:<model_seq_id>`."""
    body = {
        "session_id": s.session_id,
        "model_seq_id": s.models,
        "path": s.results["weights"],
        "optimizer": True,
        "type": "load_weights",
    }
    exchange = s.send("load_weights", body)
    if exchange.status in (400, 422):
        raise NotOffered(f"{exchange.status}: a model must be created first")
    s.models += 1
    expect(200 <= exchange.status < 300, f"answered {exchange.status}")
    result = s.result("load_weights", exchange.json())
    if result.get("model_id"):
        s.extra_models.append(result["model_id"])
    expect(
        result.get("model_id") == f"{s.session_id}:train:{body['model_seq_id']}",
        f"the model is called {result.get('model_id')}",
    )


@check("load_weights", "weights", "save_weights", "optim_step")
def load_weights(s: Subject) -> None:
    """Loads a checkpoint into a model; as its first operation, every server takes it."""
    model = s.new_model()
    path = s.results["weights"]
    body = {
        "model_id": model.id,
        "seq_id": model.take(),
        "path": path,
        "optimizer": False,
        "type": "load_weights",
    }
    s.do("load_weights", body)
    loaded, _ = s.loss(s.train(model))
    trained = s.results["loss"][1]
    expect(sum(loaded) > sum(trained), "the model that was loaded is as if it had not been trained")


# ---- checkpoints ------------------------------------------------------------------------------


def parts(s: Subject, kind: str = "weights") -> dict[str, str]:
    return {"training_run_id": s.model.id, "kind": kind, "name": s.name}


@check("list_training_runs", "checkpoints", "create_model")
def list_training_runs(s: Subject) -> None:
    """Newest first, with a cursor that tells the total."""
    answer = s.call("list_training_runs", query={"limit": 100})
    expect(
        s.model.id in [run["training_run_id"] for run in answer["training_runs"]],
        "our model is not among the newest 100",
    )


@check("get_training_run", "checkpoints", "create_model")
def get_training_run(s: Subject) -> None:
    """Facts about a training run and its last checkpoints."""
    run = s.call("get_training_run", path={"training_run_id": s.model.id})
    expect(run["training_run_id"] == s.model.id, "training_run_id is another")
    expect(run["base_model"] == s.base_model, f"base_model is {run['base_model']}")


@check("list_checkpoints", "checkpoints", "save_weights")
def list_checkpoints(s: Subject) -> None:
    """Checkpoints of a training run."""
    found = s.call("list_checkpoints", path={"training_run_id": s.model.id})["checkpoints"]
    ours = [one for one in found if one["tinker_path"] == s.results["weights"]]
    expect(len(ours) == 1, "our checkpoint is not in the list once")
    s.keep("listed", ours[0])


@check("list_model_checkpoints", "checkpoints", "save_weights")
def list_model_checkpoints(s: Subject) -> None:
    """The same as `list_checkpoints`, under the route's old name."""
    found = s.call("list_model_checkpoints", path={"model_id": s.model.id})["checkpoints"]
    expect(
        s.results["weights"] in [one["tinker_path"] for one in found],
        "our checkpoint is not in the list",
    )


@check("list_user_checkpoints", "checkpoints", "save_weights")
def list_user_checkpoints(s: Subject) -> None:
    """All the user's checkpoints, newest first, with a cursor."""
    answer = s.call("list_user_checkpoints", query={"limit": 100})
    expect(
        s.results["weights"] in [one["tinker_path"] for one in answer["checkpoints"]],
        "our checkpoint is not in the list",
    )


@check("set_checkpoint_ttl", "checkpoints", "save_weights", "list_checkpoints")
def set_checkpoint_ttl(s: Subject) -> None:
    """Sets the expiry of a checkpoint; null clears it."""
    s.call("set_checkpoint_ttl", {"ttl_seconds": 7200}, path=parts(s))
    expect(ours(s).get("expires_at") is not None, "expires_at is not set")
    s.call("set_checkpoint_ttl", {"ttl_seconds": None}, path=parts(s))
    expect(ours(s).get("expires_at") is None, "null did not clear expires_at")


def ours(s: Subject) -> dict[str, Any]:
    found = s.call("list_checkpoints", path={"training_run_id": s.model.id})["checkpoints"]
    for one in found:
        if one["tinker_path"] == s.results["weights"]:
            return dict(one)
    raise Failed("our checkpoint is gone")


@check("publish_checkpoint", "checkpoints", "save_weights", "list_checkpoints")
def publish_checkpoint(s: Subject) -> None:
    """Everyone may read it from now on. 409 when it is public already."""
    s.call("publish_checkpoint", path=parts(s))
    expect(ours(s).get("public") is True, "`public` is not true")
    status = s.send("publish_checkpoint", path=parts(s)).status
    expect(status == 409 or 200 <= status < 300, f"a second time is answered with {status}")


@check("unpublish_checkpoint", "checkpoints", "publish_checkpoint")
def unpublish_checkpoint(s: Subject) -> None:
    """Only its owner may read it from now on. 409 when it is private already."""
    s.call("unpublish_checkpoint", path=parts(s))
    expect(ours(s).get("public", False) is False, "`public` is still true")


@check("get_external_weights_urls", "checkpoints", "save_weights_external")
def get_external_weights_urls(s: Subject) -> None:
    """One URL a file, without further credential, until `expires`."""
    answer = s.call("get_external_weights_urls", path=parts(s, "external_weights"))
    expect(bool(answer["urls"]), "there is no URL")
    url = next(iter(answer["urls"].values()))
    expect(s.fetch(url).status_code in (200, 206), "the first URL does not answer without a key")


@check("get_checkpoint_archive", "checkpoints", "save_weights_for_sampler")
def get_checkpoint_archive(s: Subject) -> None:
    """A redirect to a signed URL of a tar, or an answer with that URL; 503 while it is being built."""
    for _ in range(10):
        exchange = s.send("get_checkpoint_archive", path=parts(s, "sampler_weights"))
        if exchange.status != 503:
            break
        time.sleep(min(float(exchange.headers.get("retry-after", 2)), 30))
    s.offered(exchange)
    if exchange.status in (301, 302, 303, 307, 308):
        url = exchange.headers.get("location", "")
        expect(bool(url), "the redirect has no Location")
    else:
        expect(exchange.status == 200, f"answered {exchange.status}")
        s.fits("get_checkpoint_archive", "CheckpointArchiveUrlResponse", exchange.json())
        url = exchange.json()["url"]
    if not urlsplit(url).netloc:
        url = str(s.http.base_url.join(url))
    response = s.fetch(url)
    expect(
        response.status_code in (200, 206), f"the URL answers {response.status_code} without a key"
    )
    s.keep("archive", url)


@check("get_file", "checkpoints", "get_checkpoint_archive")
def get_file(s: Subject) -> None:
    """What a signed URL leads to takes byte ranges."""
    url = s.results["archive"]
    part = s.fetch(url, "bytes=10-19")
    expect(part.status_code == 206, f"a range is answered with {part.status_code}")
    expect(part.content == s.fetch(url).content[10:20], "the range is not that part of the file")


@check("download_checkpoint", "checkpoints", "save_weights_for_sampler")
def download_checkpoint(s: Subject) -> None:
    """The files of a checkpoint, in a tar."""
    exchange = s.send(
        "download_checkpoint", headers={"accept": "*/*"}, path=parts(s, "sampler_weights")
    )
    s.offered(exchange)
    expect(exchange.status == 200, f"answered {exchange.status}")
    expect(exchange.body[257:262] == b"ustar", "the body is not a tar")


@check("copy_weights", "checkpoints", "save_weights")
def copy_weights(s: Subject) -> None:
    """Copies a checkpoint to a new training run; the same X-Idempotency-Key gets the original answer."""
    headers = {"x-idempotency-key": s.name}
    path = s.call("copy_weights", {"source_path": s.results["weights"]}, headers=headers)[
        "tinker_path"
    ]
    s.checkpoints.append(path)
    again = s.call("copy_weights", {"source_path": s.results["weights"]}, headers=headers)[
        "tinker_path"
    ]
    expect(path == again, "a repetition made a second copy")
    expect(path != s.results["weights"], "the copy is the original")


# ---- sampling ---------------------------------------------------------------------------------


@check("create_sampling_session", "sampling", "create_session", "get_server_capabilities")
def create_sampling_session(s: Subject) -> None:
    """Binds a sampler to a base model or a checkpoint, and answers directly."""
    body = {
        "session_id": s.session_id,
        "sampling_session_seq_id": s.samplers,
        "base_model": s.base_model,
        "type": "create_sampling_session",
    }
    s.samplers += 1
    s.sampler_id = s.call("create_sampling_session", body)["sampling_session_id"]


@check("create_sampling_session by path", "sampling", "save_weights_for_sampler")
def create_sampling_session_by_path(s: Subject) -> None:
    """A sampler of a checkpoint."""
    body = {
        "session_id": s.session_id,
        "sampling_session_seq_id": s.samplers,
        "model_path": s.results["sampler_weights"],
        "type": "create_sampling_session",
    }
    s.samplers += 1
    sampler = s.call("create_sampling_session", body)["sampling_session_id"]
    expect(bool(sampler), "sampling_session_id is empty")


@check("get_sampler", "sampling", "create_sampling_session")
def get_sampler(s: Subject) -> None:
    """Tells the base model behind a sampler."""
    answer = s.call("get_sampler", path={"sampler_id": s.sampler_id})
    expect(answer["base_model"] == s.base_model, f"base_model is {answer['base_model']}")


@check("asample", "sampling", "create_sampling_session")
def asample(s: Subject) -> None:
    """Promises samples of a prompt, each with tokens, their logprobs and a stop reason."""
    result = s.sample(0, num_samples=2)
    expect(len(result["sequences"]) == 2, f"{len(result['sequences'])} sequences for num_samples 2")
    for sequence in result["sequences"]:
        tokens, logprobs = sequence["tokens"], sequence.get("logprobs")
        expect(1 <= len(tokens) <= 4, f"{len(tokens)} tokens for max_tokens 4")
        expect(logprobs is None or len(logprobs) == len(tokens), "not one logprob a token")


@check("asample with prompt_logprobs", "sampling", "asample")
def asample_prompt_logprobs(s: Subject) -> None:
    """`prompt_logprobs` has one entry a token of the prompt, null at the first."""
    result = s.sample(1, prompt_logprobs=True)
    values = result.get("prompt_logprobs")
    expect(values is not None, "prompt_logprobs is missing")
    expect(
        len(values) == len(TOKENS), f"{len(values)} entries for a prompt of {len(TOKENS)} tokens"
    )
    expect(values[0] is None, "the first entry is not null")


@check("asample with topk_prompt_logprobs", "sampling", "asample")
def asample_topk(s: Subject) -> None:
    """`topk_prompt_logprobs` has the k most likely tokens at each place of the prompt."""
    promise = s.call("asample", s.sample_body(2, prompt_logprobs=True, topk_prompt_logprobs=2))
    exchange = s.settled(promise["request_id"])
    refused = exchange.media_type == JSON and "error" in exchange.json()
    if exchange.status == 400 or refused:
        raise NotOffered(str(exchange.json().get("error") or exchange.json().get("detail"))[:120])
    rows = s.sampled(promise).get("topk_prompt_logprobs")
    expect(rows is not None and len(rows) == len(TOKENS), "not one entry a token of the prompt")
    expect(
        rows[0] is None and all(len(row) == 2 for row in rows[1:]),
        "not two tokens at each place after the first",
    )


@check("stream_sample", "sampling", "create_sampling_session")
def stream_sample(s: Subject) -> None:
    """Server-sent events; one with a `finish_reason` ends its sample."""
    exchange = s.send("stream_sample", s.sample_body(3), headers={"accept": EVENT_STREAM})
    s.offered(exchange)
    expect(exchange.status == 200, f"answered {exchange.status}")
    expect(exchange.media_type == EVENT_STREAM, f"the answer is {exchange.media_type}")
    expect('"finish_reason"' in exchange.body.decode(), "no event has a finish_reason")


@check("join_sampling_session", "sampling", "create_sampling_session")
def join_sampling_session(s: Subject) -> None:
    """Each process that joins a sampler gets a number of its own."""
    body = {"sampling_session_id": s.sampler_id, "type": "join_sampling_session"}
    first = s.call("join_sampling_session", body)["client_counter"]
    second = s.call("join_sampling_session", body)["client_counter"]
    expect(first != second, f"two processes got the same number {first}")


# ---- futures ----------------------------------------------------------------------------------


@check("retrieve_future", "futures", "create_model")
def retrieve_future(s: Subject) -> None:
    """A result can be asked for again."""
    _, promise = s.results["create_model"]
    first, second = s.settled(promise["request_id"]), s.settled(promise["request_id"])
    expect(
        first.status == 200 and second.status == 200,
        f"the second time is answered with {second.status}",
    )
    expect(first.json() == second.json(), "the second answer is another")


@check("retrieve_futures", "futures", "asample")
def retrieve_futures(s: Subject) -> None:
    """The completions feed of a sampler: what was done since `prev_cursor`."""
    promise = s.call("asample", s.sample_body(4))
    s.sampled(promise)
    target = {
        "type": "sampling_session",
        "sampling_session_id": s.sampler_id,
        "cloned_sampler_id": 0,
    }
    cursor, done = 0, set()
    for _ in range(20):
        answer = s.call("retrieve_futures", {"target": target, "prev_cursor": cursor, "timeout": 0})
        done |= {one["request_id"] for one in answer["completions"]}
        if promise["request_id"] in done or answer["cursor"] == cursor:
            break
        cursor = answer["cursor"]
    expect(promise["request_id"] in done, "the feed does not tell of a sample that is done")


@check("cancel_future", "futures", "asample")
def cancel_future(s: Subject) -> None:
    """Abandons a sample; one that is done is not affected."""
    promise = s.call("asample", s.sample_body(5))
    before = s.sampled(promise)
    s.call("cancel_future", {"request_id": promise["request_id"]})
    expect(s.sampled(promise) == before, "the result of a sample that was done has changed")


# ---- administration ---------------------------------------------------------------------------


def hour(shift: int = 0) -> str:
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    return (now + timedelta(hours=shift)).isoformat().replace("+00:00", "Z")


@check("list_billing_usage", "administration")
def list_billing_usage(s: Subject) -> None:
    """Usage by the hour; a window that is not full hours is refused with 400."""
    query = {"starting_on": hour(-1), "ending_before": hour(1)}
    if s.send("list_billing_usage", query=query).status == 403:
        raise NotOffered("403: the credential is not an administrator's")
    s.call("list_billing_usage", query=query)
    s.refused(
        "list_billing_usage",
        None,
        (400, 422),
        query={**query, "starting_on": hour(-1).replace(":00:00Z", ":30:00Z")},
    )


@check("get_checkpoint_storage", "administration")
def get_checkpoint_storage(s: Subject) -> None:
    """What the checkpoints take now, by project and user."""
    if s.send("get_checkpoint_storage").status == 403:
        raise NotOffered("403: the credential is not an administrator's")
    s.call("get_checkpoint_storage")


@check("get_audit_log", "administration")
def get_audit_log(s: Subject) -> None:
    """Entries of one day (UTC); needs an administrator."""
    query = {"event_type": "checkpoints", "day": datetime.now(UTC).date().isoformat()}
    exchange = s.send("get_audit_log", query=query)
    if exchange.status == 403:
        raise NotOffered("403: the credential is not an administrator's")
    s.call("get_audit_log", query=query)


@check("export_session_trace", "sessions", "create_session")
def export_session_trace(s: Subject) -> None:
    """`pending` until the file is there, then `ready` with its URL."""
    for _ in range(12):
        answer = s.call("export_session_trace", path={"session_id": s.session_id})
        if answer["status"] != "pending":
            break
        time.sleep(5)
    expect(answer["status"] == "ready", f"its status is {answer['status']}: {answer.get('error')}")
    expect(bool(answer.get("url")), "it is ready and has no URL")


# ---- the end ----------------------------------------------------------------------------------


@check("delete_checkpoint", "checkpoints", "save_weights")
def delete_checkpoint(s: Subject) -> None:
    """Deletes a checkpoint; it is unknown afterwards."""
    s.call("delete_checkpoint", path=parts(s))
    s.checkpoints.remove(s.results["weights"])
    s.refused("weights_info", {"tinker_path": s.results["weights"]}, (404,))


@check("unload_model", "training", "create_model")
def unload_model(s: Subject) -> None:
    """Frees a model."""
    model = s.new_model()
    s.do("unload_model", {"model_id": model.id, "type": "unload_model"})
    s.extra_models.remove(model.id)


def protobuf_result(s: Subject, promise: dict[str, Any]) -> None:
    exchange = s.settled(promise["request_id"], headers={"accept": PROTOBUF})
    expect(
        exchange.media_type == PROTOBUF,
        f"the result is {exchange.media_type}, though protobuf was asked for",
    )
    from_protobuf(exchange)
