"""Files behind signed URLs, and how they are sent: in ranges, with a checksum."""

from __future__ import annotations

import base64
import hashlib
import re
from email.utils import formatdate
from functools import lru_cache
from pathlib import Path
from time import time
from urllib.parse import quote

from starlette.responses import FileResponse, Response

from tinker_local import trace, wire
from tinker_local.backend import Backend, Call
from tinker_local.catalog import timestamp
from tinker_local.checkpoints import parse
from tinker_local.errors import Refusal
from tinker_local.signing import Expired, Forged

URL_SECONDS = 3600.0
"""For how long a signed URL works."""
_AUDIENCE = "file"
_RANGE = re.compile(r"bytes=(\d*)-(\d*)(,\s*\d*-\d*)*")


def signed_url(backend: Backend, call: Call, **claims: str) -> str:
    """A URL that needs no further credential: of an `archive`, of a `file` of a checkpoint, or of a `trace`."""
    token = backend.signer.sign(_AUDIENCE, URL_SECONDS, **claims)
    return f"{call.base_url}/api/v1/files/{quote(token)}"


def expiry() -> tuple[str, str]:
    """When a URL signed now ends, as RFC 3339 and as an HTTP date."""
    end = time() + URL_SECONDS
    return timestamp(end), formatdate(end, usegmt=True)


async def get_file(backend: Backend, call: Call) -> Response:
    try:
        claims = backend.signer.verify(_AUDIENCE, call.parameters["token"])
    except Expired:
        raise Refusal(410, "This URL has expired; ask for a new one") from None
    except Forged:
        raise Refusal(403, "This URL was not signed by this server") from None
    if "trace" in claims:
        content = wire.dumps(trace.of_session(backend.store, claims["trace"]))
        return Response(content, media_type="application/octet-stream")
    path = claims.get("archive") or claims["checkpoint"]
    location = parse(path)
    if location is None or backend.catalog.get(path) is None:
        raise Refusal(404, f"The checkpoint {path} is deleted")
    if "archive" in claims:
        return send(call, backend.catalog.files.archive(location), f"{location.name}.tar")
    name = claims["file"]
    return send(call, backend.catalog.files.files(location)[name], name)


def send(
    call: Call, file: Path, name: str, media_type: str = "application/octet-stream"
) -> Response:
    """A file, or the range of it that the request asks for."""
    size = file.stat().st_size
    asked = call.headers.get("range")
    if asked is not None:
        match = _RANGE.fullmatch(asked.strip().lower())
        if match is None or (match[1], match[2]) == ("", ""):
            raise Refusal(400, f"Range is {asked[:100]!r}; it must be like bytes=0-99")
        first, last = match[1], match[2]
        beyond = int(first) >= size if first else int(last) == 0
        if beyond or (first and last and int(last) < int(first)):
            raise Refusal(416, f"The file has {size} bytes", {"Content-Range": f"bytes */{size}"})
    headers = {"Repr-Digest": _digest(file, file.stat().st_mtime_ns)}
    return FileResponse(file, filename=name, media_type=media_type, headers=headers)


@lru_cache(maxsize=256)
def _digest(file: Path, changed: int) -> str:
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").digest()
    return f"sha-256=:{base64.b64encode(digest).decode()}:"
