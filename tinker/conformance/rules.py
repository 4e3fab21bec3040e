"""Rules that cross operations: order, repetition, pending and failed promises, shapes of errors, negotiation."""

from __future__ import annotations

import re
import time

from tinker.conformance.checks import Failed, NotOffered, check, expect
from tinker.conformance.operations import protobuf_result
from tinker.conformance.subject import (
    JSON,
    PROTOBUF,
    TOKENS,
    Subject,
    json_batch,
    protobuf_batch,
)

_SUFFIXES = {"mean", "sum", "min", "max", "slack", "hash2", "hash_unordered", "unique"}
_PROMISE = 5.0
_LONGEST_POLL = 45.0
_NOWHERE = "00000000-0000-4000-8000-000000000000"


@check("order by seq_id", "rules", "forward_backward", "optim_step")
def order(s: Subject) -> None:
    """Training operations take effect in the order of `seq_id`, whatever the order of arrival."""
    plain, mixed = s.new_model(), s.new_model()
    s.loss(s.train(plain))
    s.result("optim_step", s.step(plain))
    expected, _ = s.loss(s.train(plain))
    later = s.train(mixed, seq_id=3)
    step = s.step(mixed, seq_id=2)
    first = s.train(mixed, seq_id=1)
    s.loss(first)
    s.result("optim_step", step)
    got, _ = s.loss(later)
    mixed.next_seq_id = 4
    close = all(abs(a - b) < 1e-3 for a, b in zip(got, expected, strict=True))
    expect(
        close,
        f"requests that arrived as 3, 2, 1 gave {sum(got):.4f}, in order they give {sum(expected):.4f}",
    )


@check("promise before its turn", "rules", "forward_backward")
def promise_before_turn(s: Subject) -> None:
    """A request whose turn has not come gets its promise at once."""
    model = s.new_model()
    begun = time.monotonic()
    s.extra_models.remove(model.id)  # it goes on in the next check
    later = s.train(model, seq_id=2)
    seconds = time.monotonic() - begun
    expect(seconds < _PROMISE, f"the promise took {seconds:.1f} s")
    s.keep("waiting", (model, later))


@check("pending", "rules", "promise before its turn")
def pending(s: Subject) -> None:
    """A poll is held for less than 45 seconds; what is not done is `try_again` with a queue_state, or a 408."""
    model, later = s.recall("waiting")
    s.extra_models.append(model.id)
    exchange = s.poll(later["request_id"], timeout=_LONGEST_POLL)
    expect(exchange.seconds < _LONGEST_POLL, f"the poll was held for {exchange.seconds:.0f} s")
    if exchange.status == 408:
        s.fits("retrieve_future", "QueueStateDetail", exchange.json())
    else:
        answer = exchange.json()
        tag = answer.get("type") if isinstance(answer, dict) else None
        expect(exchange.status == 200, f"answered {exchange.status}")
        expect(tag == "try_again", f"the answer is no try_again: {str(answer)[:100]}")
        s.fits("retrieve_future", "TryAgainResponse", answer)
    s.loss(s.train(model, seq_id=1))
    s.loss(later)


@check("repeated training request", "rules", "forward_backward", "optim_step")
def repeated(s: Subject) -> None:
    """A repeated (`model_id`, `seq_id`) gets the original promise, and is done once."""
    once, twice = s.new_model(), s.new_model()
    for model in (once, twice):
        s.loss(s.train(model, seq_id=1))
    first = s.step(once, seq_id=2)
    second = s.step(twice, seq_id=2)
    again = s.step(twice, seq_id=2)
    expect(again["request_id"] == second["request_id"], "the repetition got another promise")
    for promise in (first, second):
        s.result("optim_step", promise)
    expected, _ = s.loss(s.train(once, seq_id=3))
    got, _ = s.loss(s.train(twice, seq_id=3))
    close = all(abs(a - b) < 1e-3 for a, b in zip(got, expected, strict=True))
    expect(close, "the step was done twice")


@check("repeated create_model", "rules", "create_model")
def repeated_create(s: Subject) -> None:
    """A repeated (`session_id`, `model_seq_id`) gets the original promise."""
    body, promise = s.recall("create_model")
    again = s.call("create_model", body)
    result = s.result("create_model", again)
    if result["model_id"] != s.model.id:
        s.extra_models.append(result["model_id"])
        raise Failed(f"the repetition made another model, {result['model_id']}")
    expect(again["request_id"] == promise["request_id"], "the repetition got another promise")


@check("repeated sample", "rules", "asample")
def repeated_sample(s: Subject) -> None:
    """A repeated (`sampling_session_id`, `seq_id`) gets the original promise."""
    body = s.sample_body(6)
    first, second = s.call("asample", body), s.call("asample", body)
    expect(first["request_id"] == second["request_id"], "the repetition got another promise")


@check("name of a model", "rules", "create_model")
def name_of_model(s: Subject) -> None:
    """The model is called `<session_id>:train:<model_seq_id>`."""
    body, _ = s.recall("create_model")
    expect(
        s.model.id == f"{s.session_id}:train:{body['model_seq_id']}", f"it is called {s.model.id}"
    )


@check("names of checkpoints", "rules", "save_weights")
def names_of_checkpoints(s: Subject) -> None:
    """A tinker path is `tinker://<training run>/<weights|sampler_weights|external_weights>/<name>`."""
    for kind in ("weights", "sampler_weights", "external_weights"):
        if kind in s.results:
            path = s.recall(kind)
            expect(path == f"tinker://{s.model.id}/{kind}/{s.name}", f"a path is {path}")


@check("checkpoint_id", "rules", "list_checkpoints")
def checkpoint_id(s: Subject) -> None:
    """`checkpoint_id` is `<kind>/<name>`."""
    found = s.recall("listed")["checkpoint_id"]
    expect(found == f"weights/{s.name}", f"a checkpoint_id is {found}")


@check("model_id in the promise", "rules", "create_model")
def model_id_in_promise(s: Subject) -> None:
    """The promise of create_model names the model already."""
    _, promise = s.recall("create_model")
    expect(promise.get("model_id") == s.model.id, f"model_id is {promise.get('model_id')!r}")


@check("sample_sequence_ids", "rules", "asample")
def sample_sequence_ids(s: Subject) -> None:
    """The promise of asample names each sample to come."""
    promise = s.call("asample", s.sample_body(7, num_samples=3))
    ids = promise.get("sample_sequence_ids")
    expect(ids is not None, "sample_sequence_ids is missing")
    expect(len(set(ids)) == 3, f"{len(set(ids))} different ids for num_samples 3")


@check("seed of a sample", "rules", "asample")
def seed(s: Subject) -> None:
    """The same seed gives the same tokens."""
    first, second = s.sample(8), s.sample(9)
    expect(first["sequences"][0]["tokens"] == second["sequences"][0]["tokens"], "the tokens differ")


@check("failed promise", "rules", "forward_backward")
def failed_promise(s: Subject) -> None:
    """An operation that fails settles its promise with 200 and `{"error", "category"}`; `user` is the caller's mistake."""
    model = s.new_model()
    path = f"tinker://{model.id}/weights/conformance-no-such-checkpoint"
    body = {
        "model_id": model.id,
        "seq_id": 1,
        "path": path,
        "optimizer": False,
        "type": "load_weights",
    }
    exchange = s.send("load_weights", body)
    if 400 <= exchange.status < 500:
        # Refused at once, which is as good; a token that no vocabulary has is found out later.
        batch = json_batch if s.encoding == JSON else protobuf_batch
        exchange = s.send("forward_backward", batch(model.id, 1, [2**31 - 3]))
        if 400 <= exchange.status < 500:
            return
    expect(200 <= exchange.status < 300, f"answered {exchange.status}")
    answer = s.settled(exchange.json()["request_id"])
    expect(answer.status == 200, f"the failure is told by a {answer.status}")
    body = answer.json()
    expect("error" in body, "what must fail did not")
    s.fits("retrieve_future", "RequestFailedResponse", body)
    expect(body["category"] == "user", f"its category is {body['category']!r}")


@check("400 with Content-Length", "rules", "create_session", "get_server_capabilities")
def length_of_400(s: Subject) -> None:
    """A 400 always has a Content-Length; without, clients take it for a fault of the network and repeat it."""
    body = {
        "session_id": s.session_id,
        "sampling_session_seq_id": 10**6,
        "base_model": s.base_model,
        "model_path": "tinker://a/sampler_weights/b",
        "type": "create_sampling_session",
    }
    exchange = s.refused("create_sampling_session", body, (400, 422))
    expect(
        int(exchange.headers.get("content-length", 0)) > 0,
        f"the {exchange.status} has no Content-Length",
    )


@check("422 of a body off its schema", "rules", "create_session")
def shape_of_422(s: Subject) -> None:
    """A body that does not fit is a 422 whose `detail` lists `loc`, `msg` and `type`."""
    exchange = s.refused(
        "create_model", {"session_id": s.session_id, "model_seq_id": "none"}, (400, 422)
    )
    expect(exchange.status == 422, f"answered {exchange.status}")
    issues = exchange.json()["detail"]
    named = isinstance(issues, list) and all(
        {"loc", "msg", "type"} <= set(issue) for issue in issues
    )
    expect(named and bool(issues), "detail is no list of issues")


@check("body that is not JSON", "rules")
def not_json(s: Subject) -> None:
    """A body that is not JSON is refused, with a `detail`."""
    s.refused("create_session", b"{", (400, 422), headers={"content-type": JSON})


@check("unknown model", "rules", "create_session")
def unknown_model(s: Subject) -> None:
    """An object that does not exist is a 404, or a 403 where that tells less; never a status that clients repeat."""
    s.refused("get_info", {"model_id": f"{_NOWHERE}:train:0", "type": "get_info"}, (403, 404))


@check("unknown promise", "rules", "create_session")
def unknown_promise(s: Subject) -> None:
    """An unknown request_id is a 404, 403 or 410; never a status that clients repeat."""
    s.refused("retrieve_future", {"request_id": f"{_NOWHERE}:train:0:1"}, (403, 404, 410))


@check("heartbeat of an unknown session", "rules")
def unknown_session(s: Subject) -> None:
    """410 stops a client's heartbeats; after any other status it goes on for ever."""
    s.refused("session_heartbeat", {"session_id": _NOWHERE, "type": "session_heartbeat"}, (410,))


@check("unknown members", "rules", "create_session")
def unknown_members(s: Subject) -> None:
    """Unknown members of a request are ignored."""
    s.call(
        "session_heartbeat",
        {"session_id": s.session_id, "type": "session_heartbeat", "newer": {"a": 1}},
    )


@check("null is absent", "rules", "create_session")
def null_is_absent(s: Subject) -> None:
    """An absent member and an explicit null mean the same."""
    body: dict[str, object] = {
        "tags": [],
        "user_metadata": None,
        "sdk_version": "0.38.0",
        "project_id": None,
        "type": "create_session",
    }
    session = s.call("create_session", body)["session_id"]
    s.send(
        "finish_session",
        {"reason": {"type": "success"}, "detail": None},
        path={"session_id": session},
    )


@check("colons in paths", "rules", "create_sampling_session", "get_sampler")
def colons(s: Subject) -> None:
    """Ids in paths may have their colons percent-encoded or not."""
    plain = s.send("get_sampler", path={"sampler_id": s.sampler_id}, raw_path=True)
    quoted = s.send("get_sampler", path={"sampler_id": s.sampler_id})
    expect(plain.status == 200, f"a plain colon is answered with {plain.status}")
    expect(quoted.status == 200, f"an encoded colon is answered with {quoted.status}")


@check("result in protobuf", "rules", "forward_backward")
def result_in_protobuf(s: Subject) -> None:
    """`retrieve_future` answers forward_backward in protobuf when `Accept` asks for it."""
    if s.encoding != PROTOBUF:
        raise NotOffered("only JSON is taken")
    protobuf_result(s, s.recall("loss")[0])


@check("result in JSON", "rules", "forward_backward")
def result_in_json(s: Subject) -> None:
    """`retrieve_future` answers in JSON when `Accept` asks for that."""
    promise = s.recall("loss")[0]
    exchange = s.settled(promise["request_id"], headers={"accept": JSON})
    expect(exchange.media_type == JSON, f"the result is {exchange.media_type}")
    s.fits("forward_backward", "ForwardBackwardOutput", exchange.json())


@check("names of metrics", "rules", "forward_backward")
def names_of_metrics(s: Subject) -> None:
    """A metric is `<name>:<suffix>` with one colon and a suffix that says how chunks are reduced."""
    _, _, metrics = s.recall("loss")
    wrong = [
        name for name in metrics if name.count(":") != 1 or name.split(":")[1] not in _SUFFIXES
    ]
    expect(not wrong, f"{', '.join(wrong)}")


@check("loss:sum", "rules", "forward_backward")
def loss_sum(s: Subject) -> None:
    """cross_entropy is the plain sum of -weight · logprob, and forward_backward reports it as `loss:sum`."""
    _, logprobs, metrics = s.recall("loss")
    expect("loss:sum" in metrics, f"the metrics are {sorted(metrics) or 'empty'}")
    total = -sum(logprobs)
    expect(
        abs(metrics["loss:sum"] - total) <= 1e-2 * max(1.0, abs(total)),
        f"loss:sum is {metrics['loss:sum']:.4f}, the logprobs say {total:.4f}",
    )


@check("negative weights", "rules", "forward_backward")
def negative_weights(s: Subject) -> None:
    """Weights may be negative: custom losses are computed with them."""
    model = s.new_model()
    if s.encoding == PROTOBUF:
        from tinker_proto import tinker_pb2 as pb  # noqa: PLC0415

        request = pb.ForwardBackwardRequest.FromString(protobuf_batch(model.id, 1))
        weights = request.data[0].loss_fn_inputs["weights"]
        weights.dense = bytes(
            byte ^ 0x80 if index % 4 == 3 else byte for index, byte in enumerate(weights.dense)
        )
        promise = s.call("forward_backward", request.SerializeToString())
    else:
        body = json_batch(model.id, 1)
        body["forward_backward_input"]["data"][0]["loss_fn_inputs"]["weights"]["data"] = [
            -1.0
        ] * len(TOKENS)
        promise = s.call("forward_backward", body)
    s.loss(promise)


@check("tags of results", "rules", "create_model")
def tags(s: Subject) -> None:
    """Every result carries its constant string tag."""
    if s.untagged:
        s.last = next(iter(s.untagged.values()))
        raise Failed(f"left out by {', '.join(s.untagged)}")


@check("formats", "rules", "create_session")
def formats(s: Subject) -> None:
    """Times are RFC 3339, with their offset."""
    if s.misformed:
        s.last = next(iter(s.misformed.values()))
        raise Failed(f"not of their format: {', '.join(s.misformed)}")


@check("credential", "rules")
def credential(s: Subject) -> None:
    """A missing credential is a 401."""
    exchange = s.send("get_server_capabilities", key=False)
    if exchange.status == 200:
        raise NotOffered("the server asks for no credential")
    expect(exchange.status == 401, f"answered {exchange.status}")


@check("telemetry without process_uuid", "rules", "telemetry")
def telemetry_without_process(s: Subject) -> None:
    """Some clients do not send `process_uuid`."""
    s.call(
        "telemetry",
        {
            "events": [],
            "platform": "Linux",
            "sdk_version": "0.38.0",
            "session_id": "sessionless-conformance",
        },
    )


@check("text of errors", "rules")
def error_text(s: Subject) -> None:
    """The body of a failed request is `{"detail": …}` in JSON, and carries no credential."""
    exchange = s.refused("weights_info", {"tinker_path": "not-a-path"}, (400, 404, 422))
    key = s.http.headers.get("x-api-key", "")
    expect(not key or key.encode() not in exchange.body, "the answer repeats the credential")
    expect(
        re.match(JSON, exchange.headers.get("content-type", "")) is not None,
        f"it is {exchange.media_type}",
    )


@check("finish_session", "sessions", "create_session")
def finish_session(s: Subject) -> None:
    """The first call wins; later ones are accepted and change nothing."""
    for reason in ("success", "errored"):
        s.call(
            "finish_session",
            {"reason": {"type": reason}, "detail": None},
            path={"session_id": s.session_id},
        )
    s.keep("finished", True)


@check("heartbeat of a finished session", "rules", "finish_session")
def finished_heartbeat(s: Subject) -> None:
    """410 means that the session is over and heartbeats should stop."""
    s.refused(
        "session_heartbeat", {"session_id": s.session_id, "type": "session_heartbeat"}, (410,)
    )
