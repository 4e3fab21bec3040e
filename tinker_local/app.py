"""The ASGI application: routes from the contract, credentials, bodies, and the shape of refusals."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from tinker_local import contract, wire
from tinker_local.backend import Backend, Call, Options
from tinker_local.contract import Operation
from tinker_local.engine.base import Engine
from tinker_local.errors import Refusal, invalid
from tinker_local.handlers import Handler, handler
from tinker_local.keys import Keys
from tinker_local.store import DataFolder

logger = logging.getLogger("tinker_local")

_PARSED_ELSEWHERE = 2**20
"""Bodies from this size on are parsed and checked on a thread, beside the event loop."""


def make_app(
    folder: DataFolder,
    engine: Engine,
    keys: Keys,
    options: Options,
    ready: Callable[[], None],
) -> Starlette:
    """The server, with its state in `folder`; `ready` is called when it can answer."""

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        backend = app.state.backend = Backend(folder, engine, keys, options)
        ready()
        try:
            yield
        finally:
            backend.close()

    routes = []
    for operation in contract.operations():
        route = Route(
            operation.path,
            _endpoint(operation, handler(operation.operation_id)),
            methods=[operation.method],
            name=operation.operation_id,
        )
        # The contract has no HEAD; starlette adds it to every GET.
        assert route.methods is not None
        route.methods.discard("HEAD")
        routes.append(route)
    return Starlette(
        routes=routes,
        lifespan=lifespan,
        exception_handlers={
            HTTPException: _http_exception,
            ClientDisconnect: _gone,
            Exception: _unexpected,
        },
    )


def _endpoint(operation: Operation, handle: Handler) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        backend: Backend = request.app.state.backend
        try:
            user = ""
            if operation.needs_key:
                user = backend.keys.user(request.headers.get("x-api-key"))
            content, media_type = await _content(request, operation)
            body: Any = {}
            if operation.media_types:
                if len(content) < _PARSED_ELSEWHERE:
                    body = _body(operation, content, media_type)
                else:
                    body = await asyncio.to_thread(_body, operation, content, media_type)
            call = Call(user, body, content, media_type, request.path_params, request.headers)
            answer = await handle(backend, call)
        except Refusal as refusal:
            return _refused(refusal)
        if isinstance(answer, Response):
            return answer
        return Response(wire.dumps(answer), media_type=wire.JSON)

    return endpoint


async def _content(request: Request, operation: Operation) -> tuple[bytes, str]:
    """The body without its encoding, and its media type, which must be one of the contract's."""
    if not operation.media_types:
        return b"", ""
    media_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if media_type == "application/protobuf":
        media_type = wire.PROTOBUF
    if media_type not in operation.media_types:
        raise Refusal(415, f"Expected {' or '.join(operation.media_types)}")
    pieces, size = [], 0
    async for piece in request.stream():
        size += len(piece)
        if size > wire.LARGEST_BODY:
            raise Refusal(413, f"The body is larger than {wire.LARGEST_BODY} bytes.")
        pieces.append(piece)
    encoding = request.headers.get("content-encoding", "").strip().lower()
    return wire.decompress(b"".join(pieces), encoding), media_type


def _body(operation: Operation, content: bytes, media_type: str) -> Any:
    if media_type == wire.PROTOBUF:
        return wire.parse_protobuf(content)
    body = wire.parse_json(content)
    contract.check_body(operation.operation_id, body)
    if not isinstance(body, dict):
        raise invalid(["body"], "The body is not a JSON object", "type")
    # An absent member and an explicit null mean the same.
    return {name: value for name, value in body.items() if value is not None}


def _refused(refusal: Refusal) -> Response:
    content = wire.dumps({"detail": refusal.detail})
    return Response(
        content, status_code=refusal.status, media_type=wire.JSON, headers=refusal.headers
    )


async def _http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _refused(Refusal(error.status_code, error.detail, error.headers))


async def _gone(request: Request, error: Exception) -> Response:
    """The client has closed the connection: nobody reads this."""
    return Response(status_code=400)


async def _unexpected(request: Request, error: Exception) -> Response:
    logger.error("%s %s", request.method, request.url.path, exc_info=error)
    return _refused(Refusal(500, "Internal error"))
