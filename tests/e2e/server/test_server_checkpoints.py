"""Checkpoints: names, expiry, loading, and what samplers made of them sample from."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.raw_client import TRAINING, Body, Raw, forward_backward, optim_step, sample, save


def trained(raw: Raw, steps: int = 1, **lora: Any) -> str:
    """A model after some steps; the next seq_id is 2 * steps + 1."""
    model_id = raw.model(**lora)
    train(raw, model_id, 1, steps)
    return model_id


def train(raw: Raw, model_id: str, seq_id: int, steps: int = 1) -> list[Body]:
    return [
        raw.do(route, body(model_id, number))
        for step in range(steps)
        for number, (route, body) in enumerate(TRAINING, seq_id + 2 * step)
    ]


def load(raw: Raw, path: str, *, optimizer: bool = True, **into: Any) -> Body:
    return raw.do("load_weights", {"path": path, "optimizer": optimizer, **into})


def failure(answer: Body) -> str:
    assert answer["type"] == "request_failed", answer
    assert answer["category"] == "user", answer
    text: str = answer["error"]
    return text


# ---- names ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "..",
        "../x",
        "a/b",
        "/etc/passwd",
        ".hidden",
        "",
        "a\\b",
        "a\0b",
        "a\nb",
        "ä",
        "x" * 256,
        "-x",
    ],
)
@pytest.mark.parametrize("route", ["save_weights", "save_weights_for_sampler"])
def test_names_that_could_leave_the_folder_are_refused(raw: Raw, route: str, name: str) -> None:
    model_id = raw.model()
    issues = raw.post(route, save(model_id, 1, name), 422)["detail"]
    assert {tuple(issue["loc"]) for issue in issues} == {("body", "path")}
    assert raw.get(f"training_runs/{model_id}/checkpoints")["checkpoints"] == []


@pytest.mark.parametrize("name", ["a", "_", "a..b", "epoch-1_step.20", "x" * 255])
def test_names_that_are_fine(raw: Raw, name: str) -> None:
    model_id = raw.model()
    path = raw.do("save_weights", save(model_id, 1, name))["path"]
    assert path == f"tinker://{model_id}/weights/{name}"
    assert load(raw, path, model_id=model_id, seq_id=2)["path"] == path


@pytest.mark.parametrize(
    "path",
    [
        "x",
        "tinker://",
        "tinker://a/b",
        "tinker://../weights/x",
        "tinker://a/weights/../x",
        "file:///x",
    ],
)
def test_invalid_paths_are_rejected(raw: Raw, path: str) -> None:
    model_id = raw.model()
    body = {"path": path, "optimizer": False, "model_id": model_id, "seq_id": 1}
    status = 400 if path != "tinker://../weights/x" else 200
    raw.post("load_weights", body, status)
    if status == 200:
        assert "does not exist" in failure(raw.do("load_weights", body))


def test_without_a_name_the_server_picks_one(raw: Raw) -> None:
    model_id = trained(raw)
    paths = [raw.do("save_weights", save(model_id, n, None))["path"] for n in (3, 4)]  # type: ignore[arg-type]
    assert paths[0] != paths[1]
    assert load(raw, paths[0], model_id=model_id, seq_id=5)["path"] == paths[0]


def test_a_taken_name_needs_overwrite(raw: Raw) -> None:
    model_id = trained(raw)
    path = raw.do("save_weights", save(model_id, 3, "a"))["path"]
    after_one = train(raw, model_id, 4)
    text = failure(raw.do("save_weights", save(model_id, 6, "a")))
    assert text == f"The checkpoint {path} exists: pass overwrite, or choose another name."
    load(raw, path, model_id=model_id, seq_id=7)
    assert train(raw, model_id, 8) == after_one  # it was not touched

    assert raw.do("save_weights", save(model_id, 10, "a", overwrite=True))["path"] == path
    after_two = train(raw, model_id, 11)
    load(raw, path, model_id=model_id, seq_id=13)
    assert train(raw, model_id, 14) == after_two != after_one


def test_a_sampler_checkpoint_is_never_overwritten(raw: Raw) -> None:
    model_id = raw.model()
    raw.do("save_weights_for_sampler", save(model_id, 1, "a"))
    assert "exists." in failure(raw.do("save_weights_for_sampler", save(model_id, 2, "a")))


# ---- loading --------------------------------------------------------------------------------


def test_loading_with_the_optimizer_goes_on_exactly(raw: Raw) -> None:
    model_id = trained(raw, 2)
    path = raw.do("save_weights", save(model_id, 5, "a"))["path"]
    went_on = train(raw, model_id, 6, 2)

    load(raw, path, model_id=model_id, seq_id=10)
    assert train(raw, model_id, 11, 2) == went_on

    session_id = raw.session()
    created = load(raw, path, session_id=session_id, model_seq_id=0)
    assert created["model_id"] == f"{session_id}:train:0"
    assert train(raw, created["model_id"], 1, 2) == went_on
    assert raw.post("get_info", {"model_id": created["model_id"]})["lora_rank"] == 4

    loaded = load(raw, path, optimizer=False, session_id=session_id, model_seq_id=1)["model_id"]
    first, _, then, _ = train(raw, loaded, 1, 2)
    assert first == went_on[0]
    assert then != went_on[2]


def test_loading_drops_accumulated_gradients(raw: Raw) -> None:
    model_id = trained(raw)
    path = raw.do("save_weights", save(model_id, 3, "a"))["path"]
    raw.do("forward_backward", forward_backward(model_id, 4))
    load(raw, path, model_id=model_id, seq_id=5)
    step = raw.do("optim_step", optim_step(model_id, 6))
    assert step["metrics"]["unclipped_grad_l2:mean"] == 0


@pytest.mark.parametrize("other", [{"rank": 8}, {"train_mlp": False}])
def test_an_adapter_of_another_kind_is_refused(raw: Raw, other: dict[str, Any]) -> None:
    model_id = trained(raw)
    path = raw.do("save_weights", save(model_id, 3, "a"))["path"]
    different = raw.model(**other)
    text = failure(load(raw, path, model_id=different, seq_id=1))
    assert f"{path} does not fit the model: it is of rank 4 on attn, mlp, unembed of" in text
    assert train(raw, different, 2)[1]["metrics"]["unclipped_grad_l2:mean"] > 0


def test_training_does_not_go_on_from_a_sampler_checkpoint(raw: Raw) -> None:
    model_id = trained(raw)
    path = raw.do("save_weights_for_sampler", save(model_id, 3, "s"))["path"]
    assert "is not a training checkpoint" in failure(load(raw, path, model_id=model_id, seq_id=4))
    into_new = {"session_id": raw.session(), "model_seq_id": 0}
    refused = raw.post("load_weights", {"path": path, "optimizer": False, **into_new}, 400)
    assert "is not a training checkpoint" in refused["detail"]


def test_loading_needs_somewhere_to_load_into(raw: Raw) -> None:
    path = raw.do("save_weights", save(raw.model(), 1, "a"))["path"]
    raw.post("load_weights", {"path": path, "optimizer": False}, 400)
    other_base: Body = {"session_id": raw.session(), "model_seq_id": 0, "base_model": "another"}
    assert "not for another" in failure(load(raw, path, **other_base))
    nowhere = {"session_id": raw.session(), "model_seq_id": 0}
    body = {"path": f"{path}-not", "optimizer": False, **nowhere}
    assert "Unknown checkpoint" in raw.post("load_weights", body, 404)["detail"]


def test_a_save_and_a_load_may_be_on_their_way_together(raw: Raw) -> None:
    model_id = trained(raw)
    raw.post("save_weights", save(model_id, 3, "a"))
    path = f"tinker://{model_id}/weights/a"
    assert load(raw, path, model_id=model_id, seq_id=4)["path"] == path


def test_weights_info(raw: Raw) -> None:
    path = raw.do("save_weights", save(raw.model(train_mlp=False), 1, "a"))["path"]
    assert raw.post("weights_info", {"tinker_path": path}) == {
        "base_model": "tinker-local/tiny",
        "is_lora": True,
        "lora_rank": 4,
        "train_unembed": True,
        "train_mlp": False,
        "train_attn": True,
        "optimizer_config": {"type": "adamw"},
    }
    raw.post("weights_info", {"tinker_path": f"{path}-not"}, 404)
    raw.post("weights_info", {"tinker_path": "a"}, 400)


# ---- expiry and samplers --------------------------------------------------------------------


def tokens(raw: Raw, **source: object) -> list[int]:
    body = {**sample("", 0), "sampling_session_id": None, "seq_id": None, **source}
    body["sampling_params"] = {"max_tokens": 8, "temperature": 0}
    sampled: list[int] = raw.do("asample", body)["sequences"][0]["tokens"]
    return sampled


def sampler_of(raw: Raw, session_id: str, number: int, path: str) -> str:
    body = {"session_id": session_id, "sampling_session_seq_id": number, "model_path": path}
    sampler_id: str = raw.post("create_sampling_session", body)["sampling_session_id"]
    return sampler_id


def test_an_expired_checkpoint_is_gone_and_its_name_free(raw: Raw) -> None:
    model_id = trained(raw)
    path = raw.do("save_weights_for_sampler", save(model_id, 3, "s", ttl_seconds=1))["path"]
    untrained = tokens(raw, base_model="tinker-local/tiny")
    sampler_id = sampler_of(raw, model_id.partition(":")[0], 0, path)
    before = tokens(raw, model_path=path)
    while raw.http.post("weights_info", json={"tinker_path": path}).status_code == 200:
        pass
    assert "does not exist" in failure(raw.do("asample", sample(sampler_id, 0)))

    train(raw, model_id, 4, 10)
    assert raw.do("save_weights_for_sampler", save(model_id, 24, "s"))["path"] == path
    # Nothing of what the name meant before is left over.
    after = tokens(raw, model_path=path)
    assert len({tuple(untrained), tuple(before), tuple(after)}) == 3
    again = sample(sampler_id, 1, sampling_params={"max_tokens": 8, "temperature": 0})
    assert raw.do("asample", again)["sequences"][0]["tokens"] == after


def test_samplers_of_an_overwritten_checkpoint_use_what_is_there(raw: Raw) -> None:
    model_id = trained(raw)
    path = raw.do("save_weights", save(model_id, 3, "a"))["path"]
    before = tokens(raw, model_path=path)
    train(raw, model_id, 4, 10)
    raw.do("save_weights", save(model_id, 24, "a", overwrite=True))
    assert tokens(raw, model_path=path) != before


def test_an_ephemeral_sampler_keeps_the_weights_of_its_moment(raw: Raw) -> None:
    model_id = trained(raw)
    body = {"model_id": model_id, "seq_id": 3, "sampling_session_seq_id": 0}
    sampler_id = raw.do("save_weights_for_sampler", body)["sampling_session_id"]
    first = raw.do("asample", sample(sampler_id, 0))["sequences"]
    train(raw, model_id, 4, 10)
    assert raw.do("asample", sample(sampler_id, 1))["sequences"] == first
    told = raw.get(f"samplers/{sampler_id}")
    assert told["base_model"] == "tinker-local/tiny"
    assert told["model_path"] is None


# ---- unloading ------------------------------------------------------------------------------


def test_unloading_waits_for_what_was_submitted_before_and_ends_the_run(raw: Raw) -> None:
    model_id = raw.model()
    before = raw.post("forward_backward", forward_backward(model_id, 1))
    saved = raw.post("save_weights", save(model_id, 2, "last"))
    unload = raw.post("unload_model", {"model_id": model_id})
    raw.post("optim_step", optim_step(model_id, 3), 404)
    assert raw.post("unload_model", {"model_id": model_id}) == unload
    # What was promised before stays promised.
    assert raw.post("forward_backward", forward_backward(model_id, 1)) == before
    assert raw.result(unload) == {"type": "unload_model", "model_id": model_id}
    assert raw.result(before)["type"] == "forward_backward"
    raw.post("optim_step", optim_step(model_id, 3), 404)
    path = raw.result(saved)["path"]
    assert load(raw, path, session_id=raw.session(), model_seq_id=0)["path"] == path
