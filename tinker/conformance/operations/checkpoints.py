"""Training runs and their checkpoints: listing, expiry, visibility, download, copies."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlsplit

from tinker.conformance.checks import check
from tinker.conformance.outcomes import Failed, expect
from tinker.conformance.subject import Subject


def _path_parameters(s: Subject, kind: str = "weights") -> dict[str, str]:
    return {"training_run_id": s.model.id, "kind": kind, "name": s.name}


def _ours(s: Subject) -> dict[str, Any]:
    found = s.call("list_checkpoints", path={"training_run_id": s.model.id})["checkpoints"]
    for one in found:
        if one["tinker_path"] == s.results["weights"]:
            return dict(one)
    raise Failed("our checkpoint is no longer in the list")


@check("list_training_runs", "checkpoints", "create_model")
def list_training_runs(s: Subject) -> None:
    """Newest first, with a cursor that has the total."""
    page = s.call("list_training_runs", query={"limit": 100})
    expect(
        s.model.id in [run["training_run_id"] for run in page["training_runs"]],
        "our model is not among the newest 100",
    )


@check("get_training_run", "checkpoints", "create_model")
def get_training_run(s: Subject) -> None:
    """Facts about a training run and its last checkpoints."""
    run = s.call("get_training_run", path={"training_run_id": s.model.id})
    for field, expected in (("training_run_id", s.model.id), ("base_model", s.base_model)):
        expect(run[field] == expected, f"{field}: expected {expected}, found {run[field]}")


@check("list_checkpoints", "checkpoints", "save_weights")
def list_checkpoints(s: Subject) -> None:
    """Checkpoints of a training run."""
    found = s.call("list_checkpoints", path={"training_run_id": s.model.id})["checkpoints"]
    ours = [one for one in found if one["tinker_path"] == s.results["weights"]]
    expect(len(ours) == 1, f"expected our checkpoint once in the list, found it {len(ours)} times")
    s.keep("listed", ours[0])


@check("list_model_checkpoints", "checkpoints", "save_weights")
def list_model_checkpoints(s: Subject) -> None:
    """The same as `list_checkpoints`, under the route's old name."""
    found = s.call("list_model_checkpoints", path={"model_id": s.model.id})["checkpoints"]
    expect(
        s.results["weights"] in [one["tinker_path"] for one in found],
        "our checkpoint is not in the list",
    )


@check("list_user_checkpoints", "checkpoints", "save_weights")
def list_user_checkpoints(s: Subject) -> None:
    """All checkpoints of the user, newest first, with a cursor."""
    found = s.call("list_user_checkpoints", query={"limit": 100})["checkpoints"]
    expect(
        s.results["weights"] in [one["tinker_path"] for one in found],
        "our checkpoint is not among the newest 100",
    )


@check("search_checkpoints", "checkpoints", "save_weights")
def search_checkpoints(s: Subject) -> None:
    """Filters are joined by "and"; newest first."""
    path = s.results["weights"]
    search = {"checkpoint_type": "training", "base_models": [s.base_model], "limit": 100}
    found = [one["tinker_path"] for one in s.call("search_checkpoints", search)["checkpoints"]]
    expect(path in found, "a search for its type and base model does not find our checkpoint")
    for other in ({**search, "base_models": []}, {**search, "checkpoint_type": "sampler"}):
        found = [one["tinker_path"] for one in s.call("search_checkpoints", other)["checkpoints"]]
        expect(path not in found, f"our checkpoint does not match {other}, but the search finds it")


@check("set_checkpoint_ttl", "checkpoints", "save_weights", "list_checkpoints")
def set_checkpoint_ttl(s: Subject) -> None:
    """Sets the expiry of a checkpoint; null clears it."""
    s.call("set_checkpoint_ttl", {"ttl_seconds": 7200}, path=_path_parameters(s))
    expect(_ours(s).get("expires_at") is not None, "ttl_seconds 7200 did not set expires_at")
    s.call("set_checkpoint_ttl", {"ttl_seconds": None}, path=_path_parameters(s))
    expect(_ours(s).get("expires_at") is None, "ttl_seconds null did not clear expires_at")


@check("publish_checkpoint", "checkpoints", "save_weights", "list_checkpoints")
def publish_checkpoint(s: Subject) -> None:
    """Lets everyone read it. 409 when it is public already."""
    s.call("publish_checkpoint", path=_path_parameters(s))
    found = _ours(s).get("public")
    expect(found is True, f"public: expected true, found {found}")
    status = s.send("publish_checkpoint", path=_path_parameters(s)).status
    expect(
        status == 409 or 200 <= status < 300,
        f"publishing it a second time: expected a 2xx status or 409, found {status}",
    )


@check("unpublish_checkpoint", "checkpoints", "publish_checkpoint")
def unpublish_checkpoint(s: Subject) -> None:
    """Lets only its owner read it. 409 when it is private already."""
    s.call("unpublish_checkpoint", path=_path_parameters(s))
    found = _ours(s).get("public", False)
    expect(found is False, f"public: expected false, found {found}")


@check("get_external_weights_urls", "checkpoints", "save_weights_external")
def get_external_weights_urls(s: Subject) -> None:
    """One URL a file, which needs no further credential, until `expires`."""
    urls = s.call("get_external_weights_urls", path=_path_parameters(s, "external_weights"))["urls"]
    expect(bool(urls), "expected at least one URL, found none")
    status = s.fetch(next(iter(urls.values()))).status_code
    expect(status in (200, 206), f"the first URL, without a key: expected 200, found {status}")


@check("get_checkpoint_archive", "checkpoints", "save_weights_for_sampler")
def get_checkpoint_archive(s: Subject) -> None:
    """A redirect to the signed URL of a tar file, or a response with that URL; 503 until the file is there."""
    for _ in range(10):
        exchange = s.send("get_checkpoint_archive", path=_path_parameters(s, "sampler_weights"))
        if exchange.status != 503:
            break
        time.sleep(min(float(exchange.headers.get("retry-after", 2)), 30))
    s.offered(exchange)
    if exchange.status in (301, 302, 303, 307, 308):
        url = exchange.headers.get("location", "")
        expect(bool(url), "the redirect has no Location")
    else:
        expect(
            exchange.status == 200, f"expected status 200 or a redirect, found {exchange.status}"
        )
        s.fits("get_checkpoint_archive", "CheckpointArchiveUrlResponse", exchange.json())
        url = exchange.json()["url"]
    if not urlsplit(url).netloc:
        url = str(s.http.base_url.join(url))
    status = s.fetch(url).status_code
    expect(status in (200, 206), f"the URL, without a key: expected status 200, found {status}")
    s.keep("archive", url)


@check("get_file", "checkpoints", "get_checkpoint_archive")
def get_file(s: Subject) -> None:
    """A signed URL accepts byte ranges."""
    url = s.results["archive"]
    part = s.fetch(url, "bytes=10-19")
    expect(part.status_code == 206, f"a range: expected status 206, found {part.status_code}")
    expect(
        part.content == s.fetch(url).content[10:20],
        "the bytes of range 10-19 differ from those of the whole file",
    )


@check("download_checkpoint", "checkpoints", "save_weights_for_sampler")
def download_checkpoint(s: Subject) -> None:
    """The files of a checkpoint, in a tar file."""
    exchange = s.send(
        "download_checkpoint",
        headers={"accept": "*/*"},
        path=_path_parameters(s, "sampler_weights"),
    )
    s.offered(exchange)
    expect(exchange.status == 200, f"expected status 200, found {exchange.status}")
    expect(exchange.body[257:262] == b"ustar", "the body is not a tar file")


@check("copy_weights", "checkpoints", "save_weights")
def copy_weights(s: Subject) -> None:
    """Copies a checkpoint to a new training run; the same X-Idempotency-Key returns the original response."""
    headers = {"x-idempotency-key": s.name}
    source = s.results["weights"]
    copy, again = (
        s.call("copy_weights", {"source_path": source}, headers=headers)["tinker_path"]
        for _ in range(2)
    )
    s.checkpoints += {copy, again} - {source}
    expect(copy == again, f"a repeated request made a second copy: {copy}, then {again}")
    expect(copy != source, f"the copy is the original, {source}")


@check("delete_checkpoint", "checkpoints", "save_weights")
def delete_checkpoint(s: Subject) -> None:
    """Deletes a checkpoint; it is unknown afterwards."""
    s.call("delete_checkpoint", path=_path_parameters(s))
    s.checkpoints.remove(s.results["weights"])
    s.refused("weights_info", {"tinker_path": s.results["weights"]}, (404,))
