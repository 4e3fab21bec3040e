"""Lists of training runs and checkpoints: what they tell, and how they are paged."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from tests.support.raw_client import MODEL, Raw, save
from tinker_local import LocalServer


def test_a_training_run_tells_of_its_last_checkpoints(anna: Raw) -> None:
    model_id, _ = anna.saved()
    anna.do("save_weights_for_sampler", save(model_id, 2, "s", user_metadata={"k": "v"}))
    run = anna.get(f"training_runs/{model_id}")
    assert run["training_run_id"] == model_id
    assert run["base_model"] == MODEL
    assert run["model_owner"].endswith(":anna")
    assert run["is_lora"] is True
    assert run["lora_rank"] == 4
    assert run["last_checkpoint"]["tinker_path"] == f"tinker://{model_id}/weights/a"
    assert run["last_checkpoint"]["checkpoint_type"] == "training"
    assert run["last_sampler_checkpoint"]["checkpoint_id"] == "sampler_weights/s"
    assert run["last_sampler_checkpoint"]["user_metadata"] == {"k": "v"}
    assert run["last_checkpoint"]["size_bytes"] > 1000
    assert anna.get("training_runs")["training_runs"][0] == run


def test_colons_may_be_percent_encoded(anna: Raw) -> None:
    model_id, route = anna.saved()
    encoded = quote(model_id, safe="")
    assert encoded != model_id
    for name in ("training_runs", "training_runs/{}/checkpoints", "models/{}/checkpoints"):
        pattern = name if "{}" in name else f"{name}/{{}}"
        assert anna.get(pattern.format(encoded)) == anna.get(pattern.format(model_id))
    anna.send("POST", f"{route.replace(model_id, encoded)}/publish", 204)
    anna.send("DELETE", route.replace(model_id, encoded), 204)
    anna.send("DELETE", route, 404)


def test_what_does_not_exist_is_not_a_training_run(anna: Raw) -> None:
    for route in ("training_runs/{}", "training_runs/{}/checkpoints", "models/{}/checkpoints"):
        detail = anna.get(route.format("nowhere:train:0"), 404)["detail"]
        assert detail == "Unknown training run: nowhere:train:0"


def test_pages_of_checkpoints_are_the_list_newest_first(anna: Raw) -> None:
    model_id = anna.model()
    for number in range(1, 6):
        anna.do("save_weights", save(model_id, number, f"c{number}"))
    route = f"training_runs/{model_id}/checkpoints"
    whole = anna.get(route)
    names = [one["checkpoint_id"] for one in whole["checkpoints"]]
    assert names == [f"weights/c{n}" for n in (5, 4, 3, 2, 1)]
    assert whole["cursor"] is None
    assert anna.get(f"models/{model_id}/checkpoints") == whole
    page = anna.get(f"{route}?limit=2&offset=2")
    assert page["checkpoints"] == whole["checkpoints"][2:4]
    assert page["cursor"] == {"offset": 2, "limit": 2, "total_count": 5}
    assert anna.get(f"{route}?offset=4")["checkpoints"] == whole["checkpoints"][4:]
    beyond = anna.get(f"{route}?limit=2&offset=9223372036854775807")
    assert beyond["checkpoints"] == []
    assert beyond["cursor"]["total_count"] == 5
    mine = anna.get("checkpoints?limit=3")
    assert mine["checkpoints"] == whole["checkpoints"][:3]
    assert mine["cursor"]["total_count"] >= 5
    assert anna.get("checkpoints")["cursor"]["limit"] == 100


def test_a_page_is_cut_from_the_list_as_it_is_then(anna: Raw) -> None:
    model_id = anna.model()
    for number in range(1, 5):
        anna.do("save_weights", save(model_id, number, f"c{number}"))
    route = f"training_runs/{model_id}/checkpoints"

    def page(offset: int) -> tuple[list[str], int]:
        answer = anna.get(f"{route}?limit=2&offset={offset}")
        names = [one["checkpoint_id"] for one in answer["checkpoints"]]
        return names, answer["cursor"]["total_count"]

    assert page(0) == (["weights/c4", "weights/c3"], 4)
    anna.send("DELETE", f"{route}/weights/c4", 204)
    assert page(2) == (["weights/c1"], 3)
    assert page(1) == (["weights/c2", "weights/c1"], 3)
    anna.do("save_weights", save(model_id, 5, "c5"))
    assert page(1) == (["weights/c3", "weights/c2"], 4)


def test_pages_of_training_runs_and_sessions() -> None:
    with LocalServer() as running, Raw(running.url) as raw:
        session_ids = [raw.session(project_id=f"p{n % 2}") for n in range(4)]
        ids = [raw.model(session_id) for session_id in session_ids]

        def runs(query: str) -> tuple[list[str], dict[str, int]]:
            answer = raw.get(f"training_runs?{query}")
            return [run["training_run_id"] for run in answer["training_runs"]], answer["cursor"]

        newest_first = ids[::-1]
        assert runs("") == (newest_first, {"offset": 0, "limit": 20, "total_count": 4})
        at = {"offset": 1, "limit": 2, "total_count": 4}
        assert runs("limit=2&offset=1") == (newest_first[1:3], at)
        at = {"offset": 1, "limit": 20, "total_count": 2}
        assert runs("project_id=p1&offset=1") == ([ids[1]], at)
        assert runs("project_id=default")[0] == []
        sessions = raw.get("sessions?limit=3&offset=1")["sessions"]
        assert sessions == session_ids[::-1][1:4]


@pytest.mark.parametrize(
    ("query", "kind"),
    [
        ("limit=0", "minimum"),
        ("limit=x", "type"),
        ("limit=", "type"),
        ("limit=1.5", "type"),
        ("limit=1001", "maximum"),
        ("offset=-1", "minimum"),
        ("offset=9223372036854775808", "maximum"),
    ],
)
def test_a_query_off_the_contract_is_422(anna: Raw, query: str, kind: str) -> None:
    (issue,) = anna.get(f"checkpoints?{query}", 422)["detail"]
    assert issue["loc"] == ["query", query.partition("=")[0]]
    assert issue["type"] == kind


def test_everything_wrong_with_a_query_is_reported_at_once(anna: Raw) -> None:
    issues = anna.get("training_runs?limit=0&access_scope=all&project_id=", 422)["detail"]
    assert {tuple(issue["loc"]) for issue in issues} == {
        ("query", "limit"),
        ("query", "access_scope"),
        ("query", "project_id"),
    }


def test_what_a_query_does_not_need_is_ignored_and_the_last_of_a_name_counts(anna: Raw) -> None:
    anna.saved()
    answer: dict[str, Any] = anna.get("checkpoints?limit=5&verbose=yes&limit=1")
    assert answer["cursor"]["limit"] == 1
    assert len(answer["checkpoints"]) == 1
