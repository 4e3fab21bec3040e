"""Files behind signed URLs, and how they are sent: whole or in ranges, with a checksum."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import re
from email.utils import formatdate
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote

from starlette.responses import FileResponse, Response
from starlette.types import Receive, Scope, Send

from tinker_local.backend import Backend, Call
from tinker_local.errors import Refusal
from tinker_local.signing import Expired, Forged
from tinker_local.store import Row
from tinker_local.times import timestamp

TAR = "application/x-tar"
_BYTES = "application/octet-stream"
_AUDIENCE = "file"
_RANGE = re.compile(r"bytes=(\d{1,18})-(\d{0,18})|bytes=-(\d{1,18})", re.ASCII)


# ---- signed URLs ------------------------------------------------------------------------------


def url_of_archive(backend: Backend, call: Call, checkpoint: Row) -> str:
    return _signed(backend, call, path=checkpoint["path"], folder=checkpoint["folder"])


def url_of_file(backend: Backend, call: Call, checkpoint: Row, name: str) -> str:
    path, folder = checkpoint["path"], checkpoint["folder"]
    return _signed(backend, call, path=path, folder=folder, file=name)


def url_of_trace(backend: Backend, call: Call, name: str) -> str:
    return _signed(backend, call, trace=name)


def _signed(backend: Backend, call: Call, **claims: str) -> str:
    token = backend.signer.sign(_AUDIENCE, backend.options.url_seconds, **claims)
    return f"{call.base_url}/api/v1/files/{quote(token)}"


def expiry(backend: Backend) -> tuple[str, str]:
    """When a URL signed now ends, as RFC 3339 and as an HTTP date."""
    end = int(backend.store.now() + backend.options.url_seconds)
    return timestamp(end), formatdate(end, usegmt=True)


async def get_file(backend: Backend, call: Call) -> Response:
    try:
        claims = backend.signer.verify(_AUDIENCE, call.parameters["token"])
    except Expired:
        raise Refusal(410, "This URL has expired; ask for a new one") from None
    except Forged:
        raise Refusal(403, "This URL was not signed by this server") from None
    if "trace" in claims:
        return await send(call, backend.traces / claims["trace"], _BYTES)
    checkpoint = backend.catalog.get(claims["path"])
    # What was saved under the same name later is something else.
    if checkpoint is None or checkpoint["folder"] != claims["folder"]:
        raise Refusal(404, f"The checkpoint {claims['path']} is deleted")
    if "file" in claims:
        return await send(call, backend.catalog.file(checkpoint, claims["file"]), _BYTES)
    return await send_archive(backend, call, checkpoint, _BYTES)


# ---- sending ----------------------------------------------------------------------------------


async def send_archive(
    backend: Backend, call: Call, checkpoint: Row, media_type: str = TAR
) -> Response:
    file = await asyncio.to_thread(backend.catalog.files.archive, checkpoint["folder"])
    return await send(call, file, media_type, f"{checkpoint['name']}.tar")


async def send(call: Call, file: Path, media_type: str, name: str = "") -> Response:
    """A file, or the range of it that the request asks for.

    A range in another unit, more than one range, or one of a version that is not this one is ignored, as
    RFC 9110 allows: the answer is the whole file.
    """
    try:
        state, digest = await asyncio.to_thread(_state, file)
    except FileNotFoundError:
        raise Refusal(404, f"There is no {name or file.name} any more") from None
    etag = f'"{digest.hex()}"'
    asked = _RANGE.fullmatch(call.headers.get("range", "").replace(" ", "").lower())
    if asked is not None and call.headers.get("if-range", etag) != etag:
        asked = None
    if asked is not None:
        first, last, suffix = asked.groups()
        if suffix is None and last and int(last) < int(first):
            asked = None
        elif (int(suffix) == 0) if suffix else (int(first) >= state.st_size):
            raise Refusal(
                416,
                f"The file has {state.st_size} bytes",
                {"Content-Range": f"bytes */{state.st_size}"},
            )
    headers = {
        "ETag": etag,
        "Repr-Digest": f"sha-256=:{base64.b64encode(digest).decode()}:",
    }
    return _File(
        file,
        headers=headers,
        media_type=media_type,
        filename=name or file.name,
        stat_result=state,
        ranged=asked is not None,
    )


class _File(FileResponse):
    """Starlette's, which answers a range it does not understand with an error; unless `ranged`, it sees none."""

    def __init__(self, file: Path, *, ranged: bool, **others: object) -> None:
        super().__init__(file, **others)  # type: ignore[arg-type]
        self._ranged = ranged

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._ranged:
            headers = [(name, value) for name, value in scope["headers"] if name != b"range"]
            scope = {**scope, "headers": headers}
        await super().__call__(scope, receive, send)


def _state(file: Path) -> tuple[os.stat_result, bytes]:
    state = file.stat()
    return state, _digest(file, state.st_mtime_ns)


@lru_cache(maxsize=256)
def _digest(file: Path, changed: int) -> bytes:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").digest()
