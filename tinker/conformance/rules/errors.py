"""What failures look like: statuses that tell clients whether to repeat, and bodies that say why."""

from __future__ import annotations

from tinker._codec.media_types import JSON
from tinker.conformance.checks import check
from tinker.conformance.outcomes import NotOffered, expect
from tinker.conformance.payloads import Example, json_batch, protobuf_batch
from tinker.conformance.subject import Subject
from tinker_api import security

_NOWHERE = "00000000-0000-4000-8000-000000000000"


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
        # Refused at once, which is as good. Only the engine can tell that a token id is unknown.
        batch = json_batch if s.encoding == JSON else protobuf_batch
        exchange = s.send("forward_backward", batch(model.id, 1, [Example([2**31 - 3])]))
        if 400 <= exchange.status < 500:
            return
    expect(200 <= exchange.status < 300, f"expected a 2xx status, found {exchange.status}")
    settled = s.settled(exchange.json())
    expect(settled.status == 200, f"a failure: expected status 200, found {settled.status}")
    failure = settled.json()
    expect("error" in failure, "an operation that must fail did not")
    s.fits("retrieve_future", "RequestFailedResponse", failure)
    expect(failure["category"] == "user", f"category: expected user, found {failure['category']!r}")


@check("400 with Content-Length", "rules", "create_session")
def length_of_400(s: Subject) -> None:
    """A 400 has a Content-Length; without it, clients take it for a fault of the network and retry."""
    body = {  # with neither base_model nor model_path
        "session_id": s.session_id,
        "sampling_session_seq_id": 10**6,
        "type": "create_sampling_session",
    }
    exchange = s.refused("create_sampling_session", body, (400, 422))
    expect(
        int(exchange.headers.get("content-length", 0)) > 0,
        f"the {exchange.status} has no Content-Length",
    )


@check("422 for an invalid body", "rules", "create_session")
def shape_of_422(s: Subject) -> None:
    """A body that does not match its schema is a 422 whose `detail` lists `loc`, `msg` and `type`."""
    body = {"session_id": s.session_id, "model_seq_id": "none"}
    exchange = s.refused("create_model", body, (400, 422))
    expect(exchange.status == 422, f"expected status 422, found {exchange.status}")
    issues = exchange.json()["detail"]
    expect(
        isinstance(issues, list)
        and bool(issues)
        and all({"loc", "msg", "type"} <= set(issue) for issue in issues),
        f"detail: expected a list of issues with loc, msg and type, found {str(issues)[:100]}",
    )


@check("body that is not JSON", "rules")
def not_json(s: Subject) -> None:
    """A body that is not JSON is refused, with a `detail`."""
    s.refused("create_session", b"{", (400, 422), headers={"content-type": JSON})


@check("unknown model", "rules", "create_session")
def unknown_model(s: Subject) -> None:
    """An object that does not exist is a 404, or a 403 where that reveals less; never a status that clients retry."""
    s.refused("get_info", {"model_id": f"{_NOWHERE}:train:0", "type": "get_info"}, (403, 404))


@check("unknown promise", "rules", "create_session")
def unknown_promise(s: Subject) -> None:
    """An unknown request_id is a 404, 403 or 410; never a status that clients retry."""
    s.refused("retrieve_future", {"request_id": f"{_NOWHERE}:train:0:1"}, (403, 404, 410))


@check("heartbeat of an unknown session", "rules")
def unknown_session(s: Subject) -> None:
    """410 stops a client's heartbeats; after any other status it goes on for ever."""
    s.refused("session_heartbeat", {"session_id": _NOWHERE, "type": "session_heartbeat"}, (410,))


@check("heartbeat of a finished session", "rules", "finish_session")
def finished_heartbeat(s: Subject) -> None:
    """410 means that the session is over and heartbeats must stop."""
    s.refused(
        "session_heartbeat", {"session_id": s.session_id, "type": "session_heartbeat"}, (410,)
    )


@check("missing credential", "rules")
def credential(s: Subject) -> None:
    """A missing credential is a 401."""
    status = s.send("get_server_capabilities", key=False).status
    if status == 200:
        raise NotOffered("the server asks for no credential")
    expect(status == 401, f"expected status 401, found {status}")


@check("error bodies", "rules")
def error_bodies(s: Subject) -> None:
    """The body of a failed request is `{"detail": …}` in JSON, without any credential."""
    exchange = s.refused("weights_info", {"tinker_path": "not-a-path"}, (400, 404, 422))
    key = s.http.headers.get(security.HEADER, "")
    expect(not key or key.encode() not in exchange.body, "the body repeats the credential")
    expect(exchange.media_type == JSON, f"expected {JSON}, found {exchange.media_type}")
