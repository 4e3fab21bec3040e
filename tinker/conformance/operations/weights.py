"""Saving and loading of weights."""

from __future__ import annotations

from typing import Any

from tinker.conformance.checks import check
from tinker.conformance.outcomes import NotOffered, expect
from tinker.conformance.subject import Subject


@check("save_weights", "weights", "create_model")
def save_weights(s: Subject) -> None:
    """Saves a training checkpoint under a name; the result has its path."""
    s.keep("weights", _saved(s, "save_weights", overwrite=False))


@check("save_weights_for_sampler", "weights", "create_model")
def save_weights_for_sampler(s: Subject) -> None:
    """With `path`, saves a sampler checkpoint of that name; the result has its path."""
    s.keep("sampler_weights", _saved(s, "save_weights_for_sampler"))


@check("save_weights_for_sampler, ephemeral", "weights", "create_model")
def save_weights_for_sampler_ephemeral(s: Subject) -> None:
    """Without a name, creates an ephemeral sampler, numbered by `sampling_session_seq_id`."""
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
    s.keep("external_weights", _saved(s, "save_weights_external"))


@check("weights_info", "weights", "save_weights")
def weights_info(s: Subject) -> None:
    """What a client needs to create a training run from a checkpoint."""
    found = s.call("weights_info", {"tinker_path": s.results["weights"]})["base_model"]
    expect(found == s.base_model, f"base_model: expected {s.base_model}, found {found}")


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
    expect(200 <= exchange.status < 300, f"expected a 2xx status, found {exchange.status}")
    found = s.result("load_weights", exchange.json()).get("model_id")
    if found:
        s.extra_models.append(found)
    expected = f"{s.session_id}:train:{body['model_seq_id']}"
    expect(found == expected, f"model_id: expected {expected}, found {found}")


@check("load_weights", "weights", "save_weights", "optim_step")
def load_weights(s: Subject) -> None:
    """Loads a checkpoint into a model; every server accepts it as the model's first operation."""
    model = s.new_model()
    body = {
        "model_id": model.id,
        "seq_id": model.take(),
        "path": s.results["weights"],
        "optimizer": False,
        "type": "load_weights",
    }
    s.do("load_weights", body)
    loaded = s.trained(model)
    _, untrained = s.results["loss"]
    expect(
        loaded.total > untrained.total,
        f"with trained weights, expected a loss below the {-untrained.total:.4f} before training, "
        f"found {-loaded.total:.4f}",
    )


def _saved(s: Subject, operation: str, **fields: Any) -> str:
    """The path of a checkpoint under our name."""
    body = {"model_id": s.model.id, "seq_id": s.model.next_seq_id, "path": s.name}
    promise = s.call(operation, {**body, "type": operation, **fields})
    s.model.take()  # only now: a route that is missing takes no number
    path: str = s.result(operation, promise).get("path") or ""
    expect(bool(path), "the result has no path")
    s.checkpoints.append(path)
    return path


@check("external_weights_upload_start", "weights", "get_external_weights_urls")
def external_weights_upload_start(s: Subject) -> None:
    """Returns a URL for each file; by `x-sdk-version` a string for 0.39, an object with headers for 0.40."""
    body = {"base_model": s.base_model, "lora_config": {"rank": 8}}
    exchange = s.send("external_weights_upload_start", body, headers={"x-sdk-version": "0.39.0"})
    if exchange.status == 403:
        raise NotOffered("403 for POST /api/v1/external_weights_upload_start")
    older = s.call("external_weights_upload_start", body, headers={"x-sdk-version": "0.39.0"})
    expect(all(isinstance(one, str) for one in older["urls"].values()), "0.39: expected strings")
    newer = s.call("external_weights_upload_start", body, headers={"x-sdk-version": "0.40.0"})
    expect(all(isinstance(one, dict) for one in newer["urls"].values()), "0.40: expected objects")
    s.keep("upload", newer)


@check("put_file", "weights", "external_weights_upload_start")
def put_file(s: Subject) -> None:
    """A PUT with the headers that came with its URL stores a file of an upload."""
    path = {"training_run_id": s.model.id, "kind": "external_weights", "name": s.name}
    exported = s.call("get_external_weights_urls", path=path)["urls"]
    for name, place in s.recall("upload")["urls"].items():
        expect(name in exported, f"the upload expects {name}, which the export does not have")
        content = s.fetch(exported[name]).content
        status = s.http.put(
            place["url"], content=content, headers=place.get("headers") or {}, timeout=60
        ).status_code
        expect(200 <= status < 300, f"PUT of {name}: expected a 2xx status, found {status}")


@check("external_weights_upload_finish", "weights", "put_file")
def external_weights_upload_finish(s: Subject) -> None:
    """Makes an `external_weights` checkpoint of what was exported before; a repetition returns the same path."""
    body = {"upload_id": s.results["upload"]["upload_id"]}
    path, again = (s.call("external_weights_upload_finish", body)["tinker_path"] for _ in range(2))
    s.checkpoints.append(path)
    expect("/external_weights/" in path, f"expected an external_weights checkpoint, found {path}")
    expect(path == again, f"a repeated request made a second checkpoint: {path}, then {again}")
