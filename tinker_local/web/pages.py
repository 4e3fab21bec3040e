"""The routes of the pages. They are not part of the contract."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import cache
from importlib.resources import files

import orjson
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from tinker._codec import media_types
from tinker_api import security
from tinker_local.errors import Refusal
from tinker_local.protocol import contract
from tinker_local.protocol.backend import Backend
from tinker_local.protocol.faults import Fault
from tinker_local.state.curves import Curves
from tinker_local.web.snapshot import MAX_ROWS, Snapshot

_SECONDS = 1.0
"""Seconds between checks for changes."""
_MAX_POINTS = 10_000
_MIN_POINTS = 150
"""Maximum number of points of all curves together, and of each curve."""
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'self'; style-src 'unsafe-inline'; img-src data:; "
    "connect-src 'self'; font-src data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)


def routes(faults: Sequence[Fault]) -> list[Route]:
    async def events(request: Request) -> Response:
        backend: Backend = request.app.state.backend
        try:
            snapshot = Snapshot(backend, _user(request), faults)
        except Refusal as refusal:
            return _refused(refusal)
        return StreamingResponse(
            _changes(backend, snapshot),
            media_type=media_types.EVENT_STREAM,
            headers={"Cache-Control": "no-store"},
        )

    return [
        Route("/", _file(_page, "text/html; charset=utf-8")),
        Route("/docs", _file(_docs, "text/html; charset=utf-8")),
        Route("/docs/rapidoc.js", _file(_rapidoc, "text/javascript")),
        Route(
            "/openapi.json",
            _file(lambda: gzip.compress(contract.content(), mtime=0), media_types.JSON),
        ),
        Route("/page/events", events),
        Route("/page/curves", _curves),
    ]


# ---- files --------------------------------------------------------------------------------------


@cache
def _page() -> bytes:
    """One page with its scripts and styles."""
    page = _text("page.html")
    for name in ("pico.min.css", "uPlot.min.css", "uPlot.iife.min.js"):
        page = page.replace(f"/*{name}*/", _text(f"vendor/{name}"))
    return gzip.compress(page.encode(), mtime=0)


@cache
def _docs() -> bytes:
    return gzip.compress(_text("docs.html").encode(), mtime=0)


@cache
def _rapidoc() -> bytes:
    return files("tinker_local.web").joinpath("vendor/rapidoc-min.js.gz").read_bytes()


def _text(name: str) -> str:
    return files("tinker_local.web").joinpath(name).read_text(encoding="utf-8")


def _file(
    content: Callable[[], bytes], media_type: str
) -> Callable[[Request], Awaitable[Response]]:
    """Compressed content for clients that accept it; needs no key."""

    async def send(request: Request) -> Response:
        packed = content()
        headers = {
            "Vary": "Accept-Encoding",
            "Cache-Control": "no-cache",
            "Content-Security-Policy": _POLICY,
            "X-Content-Type-Options": "nosniff",
        }
        if "gzip" in request.headers.get("accept-encoding", ""):
            headers["Content-Encoding"] = "gzip"
            return Response(packed, media_type=media_type, headers=headers)
        return Response(gzip.decompress(packed), media_type=media_type, headers=headers)

    return send


# ---- data ---------------------------------------------------------------------------------------


def _user(request: Request) -> str:
    backend: Backend = request.app.state.backend
    return backend.keys.user(request.headers.get(security.HEADER))


def _refused(refusal: Refusal) -> Response:
    content = orjson.dumps({"detail": refusal.detail})
    return Response(content, refusal.status, media_type=media_types.JSON, headers=refusal.headers)


async def _curves(request: Request) -> Response:
    """The curves of the runs named by `run` (repeated), or of the `newest`: `metric`, and the steps `first` to `last`."""
    backend: Backend = request.app.state.backend
    asked = request.query_params
    try:
        user = _user(request)
        first, last, newest = (
            max(-(2**31), min(int(asked.get(name, usual)), 2**31))
            for name, usual in (("first", 0), ("last", 2**31), ("newest", 0))
        )
    except Refusal as refusal:
        return _refused(refusal)
    except ValueError:
        return _refused(Refusal(422, "first, last and newest are integers"))
    curves = Curves(backend.store)

    def read() -> bytes:
        runs = asked.getlist("run") or curves.newest(user, max(0, min(newest, MAX_ROWS)))
        metric = asked.get("metric") or next(iter(curves.names(user)), "")
        points = max(_MIN_POINTS, _MAX_POINTS // max(1, len(runs)))
        return orjson.dumps(curves.table(user, runs, metric, first, last, points))

    return Response(await asyncio.to_thread(read), media_type=media_types.JSON)


async def _changes(backend: Backend, snapshot: Snapshot) -> AsyncIterator[bytes]:
    """Send each section, then each changed section, as server-sent events named after it."""
    sent: dict[str, bytes] = {}
    while not backend.scheduler.stopping:
        changed = []
        for name, section in snapshot.sections.items():
            content = orjson.dumps(section())
            if sent.get(name) != content:
                sent[name] = content
                changed.append(b"event: %s\ndata: %s\n\n" % (name.encode(), content))
        if changed:
            yield b"".join(changed)
        backend.operations.activity.sampling(backend.scheduler.active_samples())
        await asyncio.sleep(_SECONDS)
