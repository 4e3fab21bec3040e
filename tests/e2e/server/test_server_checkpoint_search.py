"""Search of checkpoints: every filter, owners, projects, and pages that what is saved meanwhile does not move."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from tests.support.raw_client import MODEL, Raw, save
from tinker_local import LocalServer
from tinker_local.options import Options


def found(raw: Raw, **asked: Any) -> list[str]:
    page = raw.post("checkpoints/search", asked)
    return [one["tinker_path"] for one in page["checkpoints"]]


def saved(raw: Raw, session_id: str, number: int = 0, **more: Any) -> list[str]:
    """A training checkpoint, one for sampling and one for use elsewhere: their paths, newest first."""
    model_id = raw.model(session_id, number)
    operations = ("save_weights", "save_weights_for_sampler", "save_weights_external")
    paths = [
        raw.do(operation, save(model_id, seq_id, "a", **more))["path"]
        for seq_id, operation in enumerate(operations, 1)
    ]
    return paths[::-1]


def test_every_filter(anna: Raw) -> None:
    mark = {"search": str(uuid.uuid4())}
    project = str(uuid.uuid4())
    session_id = anna.session(project_id=project)
    model_id = anna.model(session_id)
    first = anna.do("save_weights", save(model_id, 1, "one", user_metadata={**mark, "x": "y"}))
    second = anna.do("save_weights_for_sampler", save(model_id, 2, "two", user_metadata=mark))
    third = anna.do("save_weights_external", save(model_id, 3, "three"))
    one, two, three = (saved["path"] for saved in (first, second, third))

    assert found(anna, project_ids=[project]) == [three, two, one]
    assert found(anna, project_ids=[]) == []
    assert found(anna, user_metadata=mark) == [two, one]
    assert found(anna, user_metadata={**mark, "x": "y"}) == [one]
    assert found(anna, user_metadata={**mark, "x": "z"}) == []
    here = {"project_ids": [project]}
    for kind, path in (("training", one), ("sampler", two), ("external", three)):
        assert found(anna, checkpoint_type=kind, **here) == [path]
    assert found(anna, base_models=[MODEL, "other"], **here) == [three, two, one]
    assert found(anna, base_models=["other"], **here) == []
    assert found(anna, base_models=[], **here) == []
    assert found(anna, limit=2, **here) == [three, two]
    nothing = dict.fromkeys(("checkpoint_type", "owner", "base_models", "cursor"))
    assert found(anna, **nothing, **here) == [three, two, one]
    anna.send("DELETE", f"training_runs/{model_id}/checkpoints/weights/one", 204)
    assert found(anna, **here) == [three, two]


def test_what_a_search_tells_of_a_checkpoint_is_what_the_list_tells(anna: Raw) -> None:
    model_id, _ = anna.saved()
    (listed,) = anna.get(f"training_runs/{model_id}/checkpoints")["checkpoints"]
    assert listed["base_model"] == MODEL
    assert anna.post("checkpoints/search", {"limit": 1})["checkpoints"] == [listed]
    assert anna.get(f"training_runs/{model_id}")["last_checkpoint"] == listed


def test_whose_checkpoints_are_searched(anna: Raw, bert: Raw) -> None:
    project = str(uuid.uuid4())
    model_id, route = anna.saved(session_id=anna.session(project_id=project))
    hers = f"tinker://{model_id}/weights/a"
    his_model, _ = bert.saved(session_id=bert.session(project_id=project))
    his = f"tinker://{his_model}/weights/a"
    here = {"project_ids": [project]}
    urn = "tml:organization_user:{}".format

    assert found(bert, **here) == found(bert, owner={"type": "own"}, **here) == [his]
    assert found(bert, owner={"type": "accessible"}, **here) == [his]
    anna.send("POST", f"{route}/publish", 204)
    assert found(bert, owner={"type": "accessible"}, **here) == [his, hers]
    assert found(bert, owner={"type": "user", "owner_urns": [urn("anna")]}, **here) == [hers]
    both = [urn("anna"), urn("bert"), "tml:organization_user:", "anna"]
    assert found(bert, owner={"type": "user", "owner_urns": both}, **here) == [his, hers]
    assert found(bert, owner={"type": "user", "owner_urns": ["anna"]}, **here) == []


def test_a_project_of_somebody_else_is_refused(anna: Raw, bert: Raw) -> None:
    project = str(uuid.uuid4())
    anna.session(project_id=project)
    refusal = bert.post("checkpoints/search", {"project_ids": ["default", project]}, 403)
    assert refusal["detail"] == f"You do not have access to the project {project!r}"
    assert isinstance(found(bert, project_ids=["default"]), list)  # a project of everybody's


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_pages_give_each_checkpoint_once(size: int) -> None:
    now = [1.8e9]
    options = Options(clock=lambda: now[0])
    with LocalServer(options=options) as server, Raw(server.url) as raw:
        session_id = raw.session()
        # All of the same moment: the cursor's uuid tells them apart.
        paths = [path for number in (0, 1, 2) for path in saved(raw, session_id, number)]
        everything = found(raw)
        assert sorted(everything) == sorted(paths)
        read: list[str] = []
        cursor = None
        while True:
            page = raw.post("checkpoints/search", {"limit": size, "cursor": cursor})
            assert len(page["checkpoints"]) <= size
            read += [one["tinker_path"] for one in page["checkpoints"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
            now[0] += 1
            saved(raw, session_id, 3 + len(read))  # newer than what was read
            assert cursor.keys() == {"last_created_at", "last_checkpoint_uuid"}
            uuid.UUID(cursor["last_checkpoint_uuid"])
        assert read == everything


def test_an_invalid_cursor(anna: Raw) -> None:
    time = "2026-11-23T11:58:49Z"
    for cursor in (
        {"last_created_at": time, "last_checkpoint_uuid": "x"},
        {"last_created_at": "2026-12-31T23:59:60Z", "last_checkpoint_uuid": str(uuid.uuid4())},
    ):
        detail = anna.send("POST", "checkpoints/search", 400, {"cursor": cursor}).json()["detail"]
        assert "cursor.last_" in detail
    anna.post("checkpoints/search", {"cursor": {"last_created_at": time}}, 422)
