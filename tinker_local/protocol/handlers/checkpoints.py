"""Training runs and their checkpoints."""

from __future__ import annotations

from typing import Any

from starlette.responses import RedirectResponse, Response

from tinker_local.errors import Refusal
from tinker_local.protocol.backend import Backend, Call
from tinker_local.protocol.handlers.files import (
    expiry,
    get_file,
    send_archive,
    url_of_archive,
    url_of_file,
)
from tinker_local.protocol.handlers.lists import cursor, owner_urn, page
from tinker_local.protocol.handlers.sessions import PROJECT
from tinker_local.state.catalog import LIVE, described
from tinker_local.state.checkpoints import Location, parse
from tinker_local.state.store import Row
from tinker_local.times import timestamp

__all__ = ["get_file"]  # the handler of an operation with this tag

# ---- training runs ----------------------------------------------------------------------------


async def list_training_runs(backend: Backend, call: Call) -> dict[str, Any]:
    asked = _visible(backend, call)
    runs = page(backend.store, call.query, *asked)
    return {
        "training_runs": [_run(backend, run, call.user) for run in runs],
        "cursor": cursor(backend.store, call.query, *asked),
    }


async def get_training_run(backend: Backend, call: Call) -> dict[str, Any]:
    run = _readable_run(
        backend, call, call.parameters["training_run_id"], call.query["access_scope"]
    )
    return _run(backend, run, call.user)


def _visible(backend: Backend, call: Call) -> tuple[Any, ...]:
    """The query for the user's training runs, newest first, and its values.

    `accessible` adds those with a published checkpoint.
    """
    values: list[Any] = [call.user]
    condition = "owner = ?"
    if call.query["access_scope"] == "accessible":
        published = f"SELECT model_id FROM checkpoints WHERE public AND {LIVE}"
        condition = f"({condition} OR id IN ({published}))"
        values.append(backend.store.now())
    if "project_id" in call.query:
        condition += f" AND session_id IN (SELECT id FROM sessions WHERE {PROJECT} = ?)"
        values.append(call.query["project_id"])
    query = f"SELECT * FROM models WHERE ready AND {condition} ORDER BY created DESC, id DESC"
    return query, *values


def _readable_run(backend: Backend, call: Call, run_id: str, scope: str) -> Row:
    run = backend.store.get("models", run_id)
    if run is None or not run["ready"]:
        raise Refusal(404, f"Unknown training run: {run_id}")
    if run["owner"] != call.user and (
        scope != "accessible" or not backend.catalog.of_model(run_id, call.user)
    ):
        raise Refusal(403, "You do not have access to this training run")
    return run


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
    return _page(backend, call, *backend.catalog.query_of_model(run["id"], call.user))


async def list_model_checkpoints(backend: Backend, call: Call) -> dict[str, Any]:
    run = _readable_run(backend, call, call.parameters["model_id"], "accessible")
    rows = backend.catalog.of_model(run["id"], call.user)
    return {"checkpoints": [described(row) for row in rows], "cursor": None}


async def list_user_checkpoints(backend: Backend, call: Call) -> dict[str, Any]:
    return _page(backend, call, *backend.catalog.query_of_user(call.user))


def _page(backend: Backend, call: Call, query: str, *values: Any) -> dict[str, Any]:
    rows = page(backend.store, call.query, query, *values)
    return {
        "checkpoints": [described(row) for row in rows],
        "cursor": cursor(backend.store, call.query, query, *values),
    }


# ---- one checkpoint ---------------------------------------------------------------------------


def _location(call: Call) -> Location:
    """The location that the path names. Rejects invalid names, such as those that lead out of the folder."""
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


def _exported(backend: Backend, call: Call) -> Row:
    """A checkpoint whose files the user downloads; the audit log records it."""
    row = backend.catalog.readable(_location(call).path, call.user, may_be_early=True)
    backend.catalog.note("checkpoint_exported", call.user, row["path"])
    return row


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
    row = _exported(backend, call)
    names = backend.catalog.files.files(row["folder"])
    urls = {name: url_of_file(backend, call, row, name) for name in names}
    return {"urls": urls, "expires": expiry(backend)[0]}


async def get_checkpoint_archive(backend: Backend, call: Call) -> Response:
    url = url_of_archive(backend, call, _exported(backend, call))
    return RedirectResponse(url, 302, headers={"Expires": expiry(backend)[1]})


async def download_checkpoint(backend: Backend, call: Call) -> Response:
    return await send_archive(backend, call, _exported(backend, call))
