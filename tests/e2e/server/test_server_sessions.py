"""Sessions live until they are finished; what they have promised stays."""

from __future__ import annotations

from tests.support.raw_client import MODEL, Raw, model, optim_step, sample


def finish(raw: Raw, session_id: str, reason: str = "success", status: int = 200) -> None:
    body = {"reason": {"type": reason}, "detail": None}
    raw.post(f"sessions/{session_id}/finish", body, status)


def test_heartbeats_go_on_until_the_session_is_over(raw: Raw) -> None:
    session_id = raw.session()
    heartbeat = {"session_id": session_id}
    assert raw.post("session_heartbeat", heartbeat) == {"type": "session_heartbeat"}
    finish(raw, session_id)
    finish(raw, session_id, "errored")  # the first one counts, and another is not an error
    assert "finished" in raw.post("session_heartbeat", heartbeat, 410)["detail"]


def test_heartbeats_of_an_unknown_session_are_told_to_stop(raw: Raw) -> None:
    assert "nobody" in raw.post("session_heartbeat", {"session_id": "nobody"}, 410)["detail"]
    finish(raw, "nobody", status=404)


def test_a_finished_session_begins_nothing_and_keeps_its_promises(raw: Raw) -> None:
    session_id = raw.session()
    created = raw.create(session_id)
    model_id, sampler_id = raw.result(created)["model_id"], raw.sampler(session_id)
    step = raw.post("optim_step", optim_step(model_id, 1))
    sampled = raw.post("asample", sample(sampler_id, 0))
    finish(raw, session_id)

    raw.post("create_model", model(session_id, 1), 410)
    sampler = {"session_id": session_id, "sampling_session_seq_id": 1, "base_model": MODEL}
    raw.post("create_sampling_session", sampler, 410)

    assert raw.create(session_id) == created
    assert raw.sampler(session_id) == sampler_id
    assert raw.result(step)["type"] == "optim_step"
    assert raw.result(sampled)["type"] == "sample"


def test_telemetry_is_taken_without_a_process_uuid(raw: Raw) -> None:
    body = {"events": [], "platform": "Linux", "sdk_version": "0.38.0", "session_id": "s"}
    assert raw.post("telemetry", body) == {"status": "accepted"}
    assert raw.post("telemetry", {**body, "process_uuid": "u"}) == {"status": "accepted"}
