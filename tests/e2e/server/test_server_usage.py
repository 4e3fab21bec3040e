"""What usage is counted, and how it is asked for."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.support.raw_client import Raw, forward_backward, sample, save
from tinker_local import LocalServer
from tinker_local.times import timestamp


def window() -> str:
    hour = int(time.time() // 3600) * 3600
    return f"starting_on={timestamp(hour - 3600)}&ending_before={timestamp(hour + 7200)}"


def test_usage_is_counted_once_from_what_was_done(tmp_path: Path) -> None:
    with LocalServer(data=tmp_path) as running, Raw(running.url) as raw:
        session_id = raw.session()
        model_id, sampler_id = raw.model(session_id), raw.sampler(session_id)
        body = forward_backward(model_id, 1)
        tokens = sum(
            len(chunk["tokens"])
            for datum in body["forward_backward_input"]["data"]
            for chunk in datum["model_input"]["chunks"]
        )
        for _ in range(3):  # a repetition is not counted again
            raw.do("forward_backward", body)
        drawn = raw.do("asample", sample(sampler_id, 0))
        raw.do("save_weights", save(model_id, 2, "a"))
        answer = raw.get(f"billing/usage/events?{window()}")
        by_kind = {event["event_info"]["type"]: event["event_info"] for event in answer["data"]}
        assert by_kind["training"]["token_count"] == tokens
        assert by_kind["sampling_sample"]["token_count"] == sum(
            len(s["tokens"]) for s in drawn["sequences"]
        )
        assert by_kind["sampling_prefill"]["token_count"] > 0
        assert by_kind["checkpoint"]["count"] == 1
        assert by_kind["storage"]["gigabyte_hours"] > 0
        assert set(answer["sessions"]) == {session_id}
        (item,) = raw.get("billing/usage/checkpoints/current")["data"]
        assert item["checkpoint_count"] == 1
        assert item["size_gigabytes"] == item["size_bytes"] / 1e9
        assert raw.get("billing/usage/checkpoints/current?project_id=other")["data"] == []


@pytest.mark.parametrize(
    ("start", "end", "sentence"),
    [
        ("2026-01-01T00:30", "2026-01-02T00:00", "it must be a full hour"),
        ("2026-01-02T00:00", "2026-01-01T00:00", "must be after starting_on, by at most 14 days"),
        ("2026-01-01T00:00", "2026-02-01T00:00", "must be after starting_on, by at most 14 days"),
        ("2999-01-01T00:00", "2999-01-02T00:00", "starting_on is in the future"),
    ],
)
def test_an_invalid_window(anna: Raw, start: str, end: str, sentence: str) -> None:
    query = f"starting_on={start}:00Z&ending_before={end}:00Z"
    assert sentence in anna.get(f"billing/usage/events?{query}", 400)["detail"]


def test_a_window_without_a_time_or_an_end(anna: Raw) -> None:
    issues = anna.get("billing/usage/events?starting_on=2026-01-01", 422)["detail"]
    assert [(issue["loc"][-1], issue["type"]) for issue in issues] == [
        ("starting_on", "format"),
        ("ending_before", "required"),
    ]
