"""Files behind signed URLs. They are sent whole or in ranges, with a checksum."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import re
from collections.abc import AsyncIterator
from email.utils import formatdate
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

from starlette.responses import Response, StreamingResponse

from tinker._codec.media_types import OCTET_STREAM
from tinker_local.access.signing import Expired, Forged
from tinker_local.errors import Refusal
from tinker_local.protocol.backend import Backend, Call
from tinker_local.state.store import Row
from tinker_local.times import timestamp

TAR = "application/x-tar"
_AUDIENCE = "file"
_RANGE = re.compile(
    r"bytes=((?P<first>\d{1,18})-(?P<last>\d{0,18})|-(?P<suffix>\d{1,18}))", re.ASCII
)
_PIECE = 2**18
"""Bytes of a file that are read at a time."""


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
    """When a URL that is signed now expires, as RFC 3339 and as an HTTP date."""
    end = int(backend.store.now() + backend.options.url_seconds)
    return timestamp(end), formatdate(end, usegmt=True)


def signed(backend: Backend, call: Call, audience: str, *, when_expired: str) -> dict[str, Any]:
    """What a signed URL says. Raises 403 if this server did not sign it, 410 if it has expired."""
    try:
        return backend.signer.verify(audience, call.parameters["token"])
    except Expired:
        raise Refusal(410, f"This URL has expired; {when_expired}") from None
    except Forged:
        raise Refusal(403, "This URL was not signed by this server") from None


async def get_file(backend: Backend, call: Call) -> Response:
    claims = signed(backend, call, _AUDIENCE, when_expired="ask for a new one")
    if "trace" in claims:
        return await send(call, backend.traces / claims["trace"], OCTET_STREAM)
    checkpoint = backend.catalog.get(claims["path"])
    # A later save under the same name is a different checkpoint.
    if checkpoint is None or checkpoint["folder"] != claims["folder"]:
        raise Refusal(404, f"The checkpoint {claims['path']} is deleted")
    if "file" in claims:
        return await send(call, backend.catalog.file(checkpoint, claims["file"]), OCTET_STREAM)
    return await send_archive(backend, call, checkpoint, OCTET_STREAM)


# ---- sending ----------------------------------------------------------------------------------


async def send_archive(
    backend: Backend, call: Call, checkpoint: Row, media_type: str = TAR
) -> Response:
    try:
        file = await asyncio.to_thread(backend.catalog.files.archive, checkpoint["folder"])
    except FileNotFoundError:
        raise Refusal(404, f"{checkpoint['path']} was just deleted or replaced") from None
    return await send(call, file, media_type, f"{checkpoint['name']}.tar")


async def send(call: Call, file: Path, media_type: str, name: str = "") -> Response:
    """Send a file, or the requested range of it.

    A range in another unit, several ranges, or a range of another version are ignored, as RFC 9110 allows: the
    response is the whole file. A file that is deleted in the meantime is sent to its end.
    """
    try:
        digest, size, opened = await asyncio.to_thread(_open, file)
    except FileNotFoundError:
        raise Refusal(404, f"{name or file.name} no longer exists") from None
    etag = f'"{digest.hex()}"'
    try:
        asked = None
        if call.headers.get("if-range", etag) == etag:
            asked = _range(call.headers.get("range", ""), size)
    except Refusal:
        opened.close()
        raise
    headers = {
        "Accept-Ranges": "bytes",
        "Content-Disposition": f'attachment; filename="{name or file.name}"',
        "ETag": etag,
        "Repr-Digest": f"sha-256=:{base64.b64encode(digest).decode()}:",
    }
    first, last = asked or (0, size - 1)
    headers["Content-Length"] = str(last - first + 1)
    if asked is not None:
        headers["Content-Range"] = f"bytes {first}-{last}/{size}"
    return StreamingResponse(
        _pieces(opened, first, last),
        status_code=200 if asked is None else 206,
        headers=headers,
        media_type=media_type,
    )


def _range(asked: str, size: int) -> tuple[int, int] | None:
    """The first and last byte of a single range; None if the header must be ignored. Raises 416 beyond the end."""
    match = _RANGE.fullmatch(asked.replace(" ", "").lower())
    if match is None:
        return None
    if match["suffix"]:
        first, last = max(0, size - int(match["suffix"])), size - 1
    else:
        first, last = int(match["first"]), int(match["last"] or size - 1)
        if match["last"] and last < first:
            return None
    if first >= size:
        raise Refusal(416, f"The file has {size} bytes", {"Content-Range": f"bytes */{size}"})
    return first, min(last, size - 1)


async def _pieces(opened: BinaryIO, first: int, last: int) -> AsyncIterator[bytes]:
    with opened:
        opened.seek(first)
        left = last - first + 1
        while left > 0:
            piece = await asyncio.to_thread(opened.read, min(left, _PIECE))
            left -= len(piece)
            yield piece


def _open(file: Path) -> tuple[bytes, int, BinaryIO]:
    """The checksum of a file, its size, and the open file."""
    opened = file.open("rb")
    state = os.fstat(opened.fileno())
    try:
        return _digest(file, state.st_mtime_ns, state.st_size), state.st_size, opened
    except BaseException:
        opened.close()
        raise


@lru_cache(maxsize=256)
def _digest(file: Path, changed: int, size: int) -> bytes:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").digest()
