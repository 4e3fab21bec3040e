"""Which encoding a result comes in, and what readers may rely on in JSON."""

from __future__ import annotations

from tinker._codec.media_types import JSON, PROTOBUF
from tinker._version import SDK_VERSION
from tinker.conformance.checks import check
from tinker.conformance.operations.service import telemetry_body
from tinker.conformance.outcomes import Failed, NotOffered, expect
from tinker.conformance.payloads import losses_of_protobuf
from tinker.conformance.subject import Subject


@check("result in protobuf", "rules", "forward_backward")
def result_in_protobuf(s: Subject) -> None:
    """`retrieve_future` returns a forward_backward in protobuf when `Accept` asks for it."""
    if s.encoding != PROTOBUF:
        raise NotOffered("the server accepts JSON alone")
    exchange = s.settled(s.recall("loss")[0], headers={"accept": PROTOBUF})
    expect(exchange.media_type == PROTOBUF, f"expected {PROTOBUF}, found {exchange.media_type}")
    losses_of_protobuf(exchange)


@check("result in JSON", "rules", "forward_backward")
def result_in_json(s: Subject) -> None:
    """`retrieve_future` returns JSON when `Accept` asks for that."""
    exchange = s.settled(s.recall("loss")[0], headers={"accept": JSON})
    expect(exchange.media_type == JSON, f"expected {JSON}, found {exchange.media_type}")
    s.fits("forward_backward", "ForwardBackwardOutput", exchange.json())


@check("unknown fields", "rules", "create_session")
def unknown_fields(s: Subject) -> None:
    """Unknown fields of a request are ignored."""
    beat = {"session_id": s.session_id, "type": "session_heartbeat"}
    s.call("session_heartbeat", {**beat, "newer": {"a": 1}})


@check("null is absent", "rules", "create_session")
def null_is_absent(s: Subject) -> None:
    """An absent field and an explicit null mean the same."""
    body: dict[str, object] = {
        "tags": [],
        "user_metadata": None,
        "sdk_version": SDK_VERSION,
        "project_id": None,
        "type": "create_session",
    }
    session = s.call("create_session", body)["session_id"]
    s.send(
        "finish_session",
        {"reason": {"type": "success"}, "detail": None},
        path={"session_id": session},
    )


@check("telemetry without process_uuid", "rules", "telemetry")
def telemetry_without_process(s: Subject) -> None:
    """Some clients do not send `process_uuid`."""
    s.call("telemetry", telemetry_body())


@check("result tags", "rules", "create_model")
def result_tags(s: Subject) -> None:
    """Every result has its constant string tag."""
    if s.untagged:
        s.last = next(iter(s.untagged.values()))
        raise Failed(f"the tag is missing in the results of {', '.join(s.untagged)}")


@check("formats", "rules", "create_session")
def formats(s: Subject) -> None:
    """Times are RFC 3339, with their offset."""
    if s.misformed:
        s.last = next(iter(s.misformed.values()))
        raise Failed(f"not in the contract's format: {', '.join(s.misformed)}")
