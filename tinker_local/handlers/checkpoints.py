"""Training runs and what they saved."""

from __future__ import annotations

from typing import Any

from starlette.responses import RedirectResponse, Response

from tinker_local.backend import Backend, Call
from tinker_local.catalog import described, timestamp
from tinker_local.checkpoints import Location, parse
from tinker_local.errors import Refusal
from tinker_local.handlers.files import expiry, get_file, send, signed_url
from tinker_local.handlers.lists import cursor, owner_urn, page
from tinker_local.handlers.sessions import project_of
from tinker_local.store import Row

__all__ = ["get_file"]  # an operation of this tag, beside what it is about

_TAR = "application/x-tar"


# ---- training runs ----------------------------------------------------------------------------


async def list_training_runs(backend: Backend, call: Call) -> dict[str, Any]:
    runs = _visible(backend, call.user, call.query["access_scope"])
    project = call.query.get("project_id")
    if project is not None:
        runs = [run for run in runs if _project(backend, run) == project]
    shown = [_run(backend, run, call.user) for run in page(runs, call.query)]
    return {"training_runs": shown, "cursor": cursor(runs, call.query)}


async def get_training_run(backend: Backend, call: Call) -> dict[str, Any]:
    run = _readable_run(
        backend, call, call.parameters["training_run_id"], call.query["access_scope"]
    )
    return _run(backend, run, call.user)


def _visible(backend: Backend, user: str, scope: str) -> list[Row]:
    """The user's training runs, newest first; `accessible` adds those with a published checkpoint."""
    public = """ OR id IN (SELECT model_id FROM checkpoints
        WHERE public = 1 AND (expires IS NULL OR expires > strftime('%s', 'now')))"""
    condition = f"(owner = ?{public if scope == 'accessible' else ''})"
    query = f"SELECT * FROM models WHERE ready = 1 AND {condition} ORDER BY created DESC, id DESC"
    return backend.store.select(query, user)


def _readable_run(backend: Backend, call: Call, run_id: str, scope: str) -> Row:
    run = backend.store.get("models", run_id)
    if run is None or not run["ready"]:
        raise Refusal(404, f"Unknown training run: {run_id}")
    if run["owner"] != call.user and (
        scope != "accessible" or not backend.catalog.of_model(run_id, call.user)
    ):
        raise Refusal(403, "You do not have access to this training run")
    return run


def _project(backend: Backend, run: Row) -> str:
    session = backend.store.get("sessions", run["session_id"])
    assert session is not None, "a training run belongs to a session"
    return project_of(session)


def _run(backend: Backend, run: Row, user: str) -> dict[str, Any]:
    checkpoints = backend.catalog.of_model(run["id"], user)

    def last(kind: str) -> dict[str, Any] | None:
        return next((described(row) for row in checkpoints if row["kind"] == kind), None)

    return {
        "training_run_id": run["id"],
        "base_model": run["facts"]["base_model"],
        "model_owner": owner_urn(run["owner"]),
        "is_lora": True,
        "corrupted": False,
        "lora_rank": int(run["facts"]["lora"]["rank"]),
        "last_request_time": timestamp(run["seen"]),
        "last_checkpoint": last("weights"),
        "last_sampler_checkpoint": last("sampler_weights"),
        "user_metadata": run["facts"].get("user_metadata"),
    }


# ---- lists ------------------------------------------------------------------------------------


async def list_checkpoints(backend: Backend, call: Call) -> dict[str, Any]:
    run = _readable_run(backend, call, call.parameters["training_run_id"], "accessible")
    rows = backend.catalog.of_model(run["id"], call.user)
    shown = [described(row) for row in page(rows, call.query)]
    return {"checkpoints": shown, "cursor": cursor(rows, call.query)}


async def list_model_checkpoints(backend: Backend, call: Call) -> dict[str, Any]:
    run = _readable_run(backend, call, call.parameters["model_id"], "accessible")
    rows = backend.catalog.of_model(run["id"], call.user)
    return {"checkpoints": [described(row) for row in rows], "cursor": None}


async def list_user_checkpoints(backend: Backend, call: Call) -> dict[str, Any]:
    rows = backend.catalog.of_user(call.user)
    shown = [described(row) for row in page(rows, call.query)]
    return {"checkpoints": shown, "cursor": cursor(rows, call.query)}


# ---- one checkpoint ---------------------------------------------------------------------------


def _location(call: Call) -> Location:
    """What the path names. A name that is none, such as one that leads elsewhere, is refused."""
    names = call.parameters
    kind, name = names["kind"], names["name"]
    location = parse(f"tinker://{names['training_run_id']}/{kind}/{name}")
    if location is None:
        raise Refusal(
            400,
            f"Invalid checkpoint identifier {f'{kind}/{name}'[:200]!r}. Expected 'weights/<name>', "
            "'sampler_weights/<name>' or 'external_weights/<name>'",
        )
    return location


def _own(backend: Backend, call: Call) -> Row:
    return backend.catalog.own(_location(call).path, call.user)


async def delete_checkpoint(backend: Backend, call: Call) -> Response:
    backend.catalog.delete(_own(backend, call))
    return Response(status_code=204)


async def publish_checkpoint(backend: Backend, call: Call) -> Response:
    backend.catalog.publish(_own(backend, call), True)
    return Response(status_code=204)


async def unpublish_checkpoint(backend: Backend, call: Call) -> Response:
    backend.catalog.publish(_own(backend, call), False)
    return Response(status_code=204)


async def set_checkpoint_ttl(backend: Backend, call: Call) -> Response:
    backend.catalog.set_ttl(_own(backend, call), call.body.get("ttl_seconds"))
    return Response(status_code=204)


async def get_external_weights_urls(backend: Backend, call: Call) -> dict[str, Any]:
    location = _location(call)
    row = backend.catalog.readable(location.path, call.user)
    urls = {
        name: signed_url(backend, call, checkpoint=row["path"], file=name)
        for name in backend.catalog.files.files(location)
    }
    backend.catalog.note("checkpoint_exported", call.user, row["path"])
    return {"urls": urls, "expires": expiry()[0]}


async def get_checkpoint_archive(backend: Backend, call: Call) -> Response:
    row = backend.catalog.readable(_location(call).path, call.user)
    backend.catalog.note("checkpoint_exported", call.user, row["path"])
    url = signed_url(backend, call, archive=row["path"])
    return RedirectResponse(url, 302, headers={"Expires": expiry()[1]})


async def download_checkpoint(backend: Backend, call: Call) -> Response:
    location = _location(call)
    row = backend.catalog.readable(location.path, call.user)
    backend.catalog.note("checkpoint_exported", call.user, row["path"])
    return send(call, backend.catalog.files.archive(location), f"{location.name}.tar", _TAR)
