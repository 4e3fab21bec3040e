"""Upload of adapters made elsewhere: start, one PUT for each file, finish."""

from __future__ import annotations

import asyncio
import math
import shutil
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
from attrs import asdict, evolve
from starlette.responses import Response

from tinker._codec.media_types import JSON, OCTET_STREAM
from tinker_local.errors import Refusal
from tinker_local.protocol.backend import Backend, Call
from tinker_local.protocol.handlers.files import expiry, signed
from tinker_local.protocol.handlers.models import check_lora
from tinker_local.protocol.handlers.weights import add_run_for
from tinker_local.protocol.wire import bodies
from tinker_local.state.checkpoints import CONFIG, WEIGHTS, Location
from tinker_local.state.store import DONE, Row

MAX_FILE_BYTES = 2**32
_AUDIENCE = "upload"
_OBJECTS_SINCE = (0, 40)
"""The format of the URLs: clients of older SDKs expect strings."""


async def external_weights_upload_start(backend: Backend, call: Call) -> dict[str, Any]:
    base_model, lora = call.body["base_model"], call.body["lora_config"]
    backend.check_base_model(base_model)
    check_lora(lora)
    upload_id = str(uuid.uuid4())
    expires = backend.store.now() + backend.options.url_seconds
    facts = {
        "base_model": base_model,
        "lora": {**lora, "rank": int(lora["rank"])},
        "project_id": call.body.get("destination_project_id"),
    }
    backend.store.insert(
        "uploads",
        id=upload_id,
        owner=call.user,
        created=backend.store.now(),
        expires=expires,
        facts=facts,
    )
    with_headers = _reads_objects(call.headers.get("x-sdk-version"))
    urls: dict[str, Any] = {}
    for name in (CONFIG, WEIGHTS):
        headers = {"Content-Type": OCTET_STREAM} if with_headers else {}
        token = backend.signer.sign(
            _AUDIENCE, backend.options.url_seconds, upload=upload_id, file=name, headers=headers
        )
        url = f"{call.base_url}/api/v1/files/{quote(token)}"
        urls[name] = {"url": url, "headers": headers} if with_headers else url
    return {"upload_id": upload_id, "urls": urls, "expires": expiry(backend)[0]}


def _reads_objects(version: str | None) -> bool:
    parts = (version or "").split(".")
    if len(parts) < 2 or not (parts[0].isdecimal() and parts[1].isdecimal()):
        return True
    return (int(parts[0]), int(parts[1])) >= _OBJECTS_SINCE


async def put_file(backend: Backend, call: Call) -> Response:
    claims = signed(backend, call, _AUDIENCE, when_expired="start the upload again")
    for name, value in claims["headers"].items():
        if call.headers.get(name) != value:
            raise Refusal(403, f"The request must have the header {name}: {value}")
    upload = backend.store.get("uploads", claims["upload"])
    if upload is None:
        raise Refusal(404, "The upload no longer exists")
    if upload["path"] is not None:
        raise Refusal(409, "The upload is finished")
    if int(call.headers.get("content-length", 0)) > MAX_FILE_BYTES:
        raise Refusal(413, f"A file may have at most {MAX_FILE_BYTES} bytes")
    folder = _folder(backend, upload)
    partial = folder / f"{uuid.uuid4().hex}.partial"
    try:
        await _receive(call, partial)
        partial.replace(folder / claims["file"])
    finally:
        partial.unlink(missing_ok=True)
    return Response(status_code=204)


async def _receive(call: Call, file: Path) -> None:
    assert call.stream is not None, "it is an operation with a stream of bytes"
    size = 0
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as opened:
        async for piece in call.stream:
            size += len(piece)
            if size > MAX_FILE_BYTES:
                raise Refusal(413, f"A file may have at most {MAX_FILE_BYTES} bytes")
            await asyncio.to_thread(opened.write, piece)


def _folder(backend: Backend, upload: Row) -> Path:
    return Path(backend.store.folder) / "uploads" / str(upload["id"])


async def external_weights_upload_finish(backend: Backend, call: Call) -> dict[str, Any]:
    upload = backend.own("uploads", "upload_id", call.body["upload_id"], call.user)
    if upload["path"] is not None:
        return {"tinker_path": upload["path"]}
    if upload["expires"] <= backend.store.now():
        raise Refusal(410, "The upload has expired; start it again")
    session_id = str(uuid.uuid4())
    location = Location(f"{session_id}:train:0", "external_weights", "upload")
    made = await _checked(backend, call, upload, location)
    facts, folder = made["facts"], made["folder"]
    with backend.store.transaction():
        # Another request may have finished it in the meantime.
        known = backend.own("uploads", "upload_id", upload["id"], call.user)["path"]
        if known is None:
            project = upload["facts"]["project_id"]
            add_run_for(backend, call.user, facts, session_id, 0, reason="upload", project=project)
            backend.catalog.add(
                location, folder, call.user, facts, ttl_seconds=None, event="checkpoint_uploaded"
            )
            backend.store.write(
                "UPDATE uploads SET path = ? WHERE id = ?", location.path, upload["id"]
            )
    if known is not None:
        backend.catalog.discard(folder)
        return {"tinker_path": known}
    backend.scheduler.model(location.model_id, 1)
    await asyncio.to_thread(shutil.rmtree, _folder(backend, upload), ignore_errors=True)
    return {"tinker_path": location.path}


async def _checked(backend: Backend, call: Call, upload: Row, location: Location) -> dict[str, Any]:
    """The files of the checkpoint, checked by the engine on its own thread."""
    request_id = f"{upload['id']}:{uuid.uuid4().hex}"
    body = {
        "folder": str(_folder(backend, upload)),
        "base_model": upload["facts"]["base_model"],
        "lora": upload["facts"]["lora"],
        "location": asdict(location),
        "save": uuid.uuid4().hex,
    }
    asked = evolve(call, body=body, content=bodies.dumps(body), media_type=JSON)
    operation = "external_weights_upload_finish"
    backend.promise(asked, operation, upload["id"], request_id, seq_id=None, digest=b"")
    await backend.scheduler.wait(request_id, math.inf)
    request = backend.store.request(request_id)
    assert request is not None, "it was promised"
    result: dict[str, Any] = orjson.loads(backend.store.result(request_id))
    if request.state != DONE:
        raise Refusal(400 if result["category"] == "user" else 500, result["error"])
    return result
