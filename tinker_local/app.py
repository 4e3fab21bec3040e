"""The ASGI application: routes from the contract, credentials, bodies, and the format of errors."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from tinker._codec import media_types
from tinker_api import security
from tinker_local.access.hosts import Hosts
from tinker_local.access.keys import KeysFile
from tinker_local.chat import error_bodies
from tinker_local.engine.base import Engine
from tinker_local.errors import Refusal
from tinker_local.options import Options
from tinker_local.protocol import contract, validation
from tinker_local.protocol.backend import Backend, Call
from tinker_local.protocol.contract import Operation
from tinker_local.protocol.faults import Fault
from tinker_local.protocol.handlers import Handler, handler
from tinker_local.protocol.intake import Intake
from tinker_local.protocol.wire import bodies
from tinker_local.state import disk
from tinker_local.state.store import Store
from tinker_local.web import pages

logger = logging.getLogger("tinker_local")


def make_app(
    store: Store,
    engine: Engine[Any],
    keys: KeysFile,
    options: Options,
    ready: Callable[[], None],
    faults: Sequence[Fault] = (),
) -> Starlette:
    """The server, with its state in `store`; `ready` is called when it can respond."""

    hosts = Hosts(options.allow_hosts)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        app.state.intake = Intake(options)
        app.state.hosts = hosts
        backend = app.state.backend = Backend(store, engine, keys, options)
        ready()
        try:
            yield
        finally:
            await backend.close()

    routes = []
    for operation in contract.operations():
        handle = handler(operation.operation_id)
        route = Route(
            operation.path,
            _endpoint(operation, handle),
            methods=[operation.method],
            name=operation.operation_id,
        )
        # The contract has no HEAD; starlette adds it to every GET.
        assert route.methods is not None
        route.methods.discard("HEAD")
        routes.append(route)
    routes += pages.routes(faults)
    app = Starlette(
        routes=routes,
        lifespan=lifespan,
        middleware=[Middleware(_Guard, hosts)],
        exception_handlers={
            HTTPException: _http_exception,
            ClientDisconnect: _gone,
            Exception: _unexpected,
        },
    )
    # The contract has no redirects; a trailing slash makes a different path.
    app.router.redirect_slashes = False
    return app


class _Guard:
    """Accepts only requests that are meant for this server."""

    def __init__(self, app: ASGIApp, hosts: Hosts) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            try:
                self._hosts.check(Headers(scope=scope), (scope.get("server") or (None,))[0])
            except Refusal as refusal:
                form = error_bodies.of_path(scope["path"])
                await _refused(refusal, form)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _endpoint(operation: Operation, handle: Handler) -> Callable[[Request], Awaitable[Response]]:
    form = error_bodies.FORMS.get(operation.tag, error_bodies.native)

    async def endpoint(request: Request) -> Response:
        backend: Backend = request.app.state.backend
        try:
            user = ""
            if operation.needs_key:
                user = backend.keys.user(_credential(request, operation))
            media_type, content = "", b""
            body: Any = {}
            stream = None
            if operation.media_types == (media_types.OCTET_STREAM,):
                stream = request.app.state.intake.stream(
                    request
                )  # a handler writes it to disk as it arrives
            elif operation.media_types:
                media_type, content, body = await request.app.state.intake.body(request, operation)
            call = Call(
                user,
                body,
                content,
                media_type,
                request.path_params,
                request.headers,
                validation.parameters(operation, request.query_params, request.headers),
                request.app.state.hosts.base_url(
                    request.headers, request.url.scheme, request.scope["server"]
                ),
                stream,
            )
            response = await handle(backend, call)
        except Refusal as refusal:
            return _refused(refusal, form)
        except (sqlite3.Error, OSError) as error:
            why = disk.reason(error)
            if why is None:
                raise
            backend.refused = why
            return _refused(Refusal(503, why[:1].upper() + why[1:], {"Retry-After": "1"}), form)
        if isinstance(response, Response):
            return response
        return Response(bodies.dumps(response), media_type=media_types.JSON)

    return endpoint


def _credential(request: Request, operation: Operation) -> str | None:
    if operation.takes_bearer:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and token.strip():
            return token.strip()
        if security.HEADER not in request.headers:
            raise Refusal(
                401,
                f"Missing credential: send it as Authorization: Bearer … or {security.HEADER}",
                {"WWW-Authenticate": "Bearer"},
            )
    return request.headers.get(security.HEADER)


def _refused(refusal: Refusal, form: error_bodies.Form) -> Response:
    status, body = form(refusal)
    return Response(
        bodies.dumps(body), status_code=status, media_type=media_types.JSON, headers=refusal.headers
    )


async def _http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        # The router lists only the methods of the first route with this path.
        routes = [one for one in request.app.routes if isinstance(one, Route)]
        path = next(one.path for one in routes if one.path_regex.match(request.url.path))
        methods = sorted(name for one in routes if one.path == path for name in one.methods or ())
        error.headers = {"Allow": ", ".join(methods)}
    form = error_bodies.of_path(request.url.path)
    detail = error.detail
    if error.status_code == 404 and form is not error_bodies.native:
        detail = _no_route(request.method, request.url.path)
    return _refused(Refusal(error.status_code, detail, error.headers), form)


def _no_route(method: str, path: str) -> str:
    """Clients of other APIs know more routes than this server has, so those are listed."""
    prefix = path[: path.index("/", 1)]
    routes = [one.path for one in contract.operations() if one.path.startswith(prefix)]
    return (
        f"This server has no {method} {validation.shortened(path, 80)}; it has {', '.join(routes)}"
    )


async def _gone(request: Request, error: Exception) -> Response:
    """The client has closed the connection, so nobody reads the response."""
    return Response(status_code=400)


async def _unexpected(request: Request, error: Exception) -> Response:
    logger.error("%s %s", request.method, request.url.path, exc_info=error)
    return _refused(Refusal(500, "Internal error"), error_bodies.of_path(request.url.path))
