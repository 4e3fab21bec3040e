"""Copies of checkpoints: what they are, and that a repeated call makes no second one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.raw_client import Raw, forward_backward, model, save


def test_a_copy_is_a_checkpoint_of_its_own(anna: Raw) -> None:
    model_id, route = anna.saved()
    original = anna.send("GET", f"{route}/download", 200).content
    body = {
        "source_path": f"tinker://{model_id}/weights/a",
        "destination_project_id": "evaluation",
        "ttl_seconds": 3600,
    }
    copy = anna.post("copy_weights", body)["tinker_path"]
    run_id = copy.removeprefix("tinker://").partition("/")[0]
    assert run_id != model_id
    anna.send("DELETE", route, 204)
    copied = f"training_runs/{run_id}/checkpoints/weights/a"
    assert anna.send("GET", f"{copied}/download", 200).content == original
    into = {"session_id": anna.session(), "model_seq_id": 0, "path": copy, "optimizer": True}
    assert anna.do("load_weights", into)["path"] == copy
    (run,) = anna.get("training_runs?project_id=evaluation")["training_runs"]
    assert run["last_checkpoint"]["tinker_path"] == copy
    assert run["last_checkpoint"]["expires_at"] is not None
    assert run["lora_rank"] == 4


def test_somebody_elses_published_checkpoint_becomes_ones_own(anna: Raw, bert: Raw) -> None:
    model_id, route = anna.saved()
    anna.send("POST", f"{route}/publish", 204)
    copy = bert.post("copy_weights", {"source_path": f"tinker://{model_id}/weights/a"})
    run_id = copy["tinker_path"].removeprefix("tinker://").partition("/")[0]
    (own,) = bert.get(f"training_runs/{run_id}/checkpoints")["checkpoints"]
    assert own["public"] is False
    anna.get(f"training_runs/{run_id}", 403)
    bert.send("DELETE", f"training_runs/{run_id}/checkpoints/weights/a", 204)


def test_the_same_idempotency_key_gets_the_same_copy(anna: Raw, bert: Raw) -> None:
    model_id, route = anna.saved()
    anna.send("POST", f"{route}/publish", 204)
    body = {"source_path": f"tinker://{model_id}/weights/a"}
    key = {"X-Idempotency-Key": "one"}
    with ThreadPoolExecutor(4) as pool:
        attempts = list(pool.map(lambda _: anna.post("copy_weights", body, **key), range(4)))
    assert len({copy["tinker_path"] for copy in attempts}) == 1
    copy = attempts[0]
    conflict = anna.post("copy_weights", {**body, "ttl_seconds": 60}, 409, **key)
    assert conflict["detail"] == "X-Idempotency-Key was used by a different request"
    assert anna.post("copy_weights", body) != copy
    assert anna.post("copy_weights", body, **{"X-Idempotency-Key": "two"}) != copy
    assert bert.post("copy_weights", body, **key) != copy  # keys of others are others' keys
    (issue,) = anna.post("copy_weights", body, 422, **{"X-Idempotency-Key": ""})["detail"]
    assert issue["loc"] == ["header", "X-Idempotency-Key"]
    anna.send("DELETE", route, 204)
    assert anna.post("copy_weights", body, **key) == copy


def test_a_copy_into_a_session(anna: Raw, bert: Raw) -> None:
    model_id, _ = anna.saved()
    session_id = anna.session(project_id="mine")
    into = {"session_id": session_id, "model_seq_id": 3}
    body = {"source_path": f"tinker://{model_id}/weights/a", **into}
    refused = anna.post("copy_weights", {**body, "destination_project_id": "other"}, 400)
    assert refused["detail"] == "destination_project_id is other; the session is in mine"
    bert.post("copy_weights", body, 403)
    path = f"tinker://{session_id}:train:3/weights/a"
    copied = anna.post("copy_weights", {**body, "destination_project_id": "mine"})
    assert copied == {"tinker_path": path}
    taken = anna.post("copy_weights", body, 409)["detail"]
    assert taken == "model_seq_id 3 was used by a different request"
    assert anna.get(f"sessions/{session_id}")["training_run_ids"] == [f"{session_id}:train:3"]


@pytest.mark.parametrize("seq_id", [None, 1])
def test_the_training_run_of_a_copy_cannot_be_trained(anna: Raw, seq_id: int | None) -> None:
    model_id, _ = anna.saved()
    session_id = anna.session()
    into = {"session_id": session_id, "model_seq_id": 0}
    anna.post("copy_weights", {"source_path": f"tinker://{model_id}/weights/a", **into})
    copy = f"{session_id}:train:0"
    unloaded = f"The model {copy} is unloaded"
    body = forward_backward(copy, seq_id)
    assert anna.post("forward_backward", body, 404)["detail"] == unloaded
    assert anna.post("save_weights", save(copy, seq_id, "b"), 404)["detail"] == unloaded
    taken = anna.post("create_model", model(session_id, 0), 409)["detail"]
    assert taken == "model_seq_id 0 was used by a different request"
    assert anna.do("unload_model", {"model_id": copy})["type"] == "unload_model"


def test_copies_that_are_refused(anna: Raw) -> None:
    model_id, _ = anna.saved()
    body = {"source_path": f"tinker://{model_id}/weights/a"}
    for half in ({"session_id": anna.session()}, {"model_seq_id": 0}):
        anna.post("copy_weights", {**body, **half}, 400)
    anna.post("copy_weights", {**body, "session_id": "nowhere", "model_seq_id": 0}, 404)
    anna.post("copy_weights", {"source_path": "a"}, 400)
    anna.post("copy_weights", {"source_path": f"{body['source_path']}-not"}, 404)
    for token in (
        {"headers": {"X-Tinker-Weights-Access-Token": "t"}, "body": body},
        {"headers": {}, "body": {**body, "weights_access_token": "t"}},
    ):
        refused = anna.post("copy_weights", token["body"], 403, **token["headers"])["detail"]
        assert "does not issue weights access tokens" in refused
