"""`tinker doctor`."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Generator, Iterator
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import click

import tinker
from tinker.cli.groups import Command
from tinker.cli.state import State

_CLOCK_SECONDS = 60.0
_PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")
_SETTINGS = (
    "TINKER_PROJECT_ID",
    "TINKER_TAGS",
    "TINKER_LOCAL_DATA",
    "TINKER_LOCAL_MODELS",
    "TINKER_OTEL_HISTOGRAMS",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HF_HOME",
)
"""Variables of the environment that change what commands do, and hold no secret."""
_OK, _WARN, _FAIL, _INFO = "ok", "warning", "failed", "info"


@click.command(cls=Command, epilog="\b\nExamples:\n  tinker doctor\n  tinker -f json doctor")
@click.pass_obj
def doctor(state: State) -> int:
    """Check settings, credential, connection and server, and say where each setting comes from.

    No secret is shown. The exit status is 1 if something is wrong.
    """
    from rich.markup import escape  # noqa: PLC0415  # imported when used

    found = []
    for name, status, text in _checks(state):
        found.append({"check": name, "status": status, "text": text})
        if not state.is_json:
            color = {_OK: "green", _WARN: "yellow", _FAIL: "red", _INFO: "dim"}[status]
            line = f"[{color}]{status:8}[/] {name:12} {escape(text)}"
            state.console().print(line, soft_wrap=True)
    if state.is_json:
        state.print_json({"checks": found})
    return 1 if any(one["status"] == _FAIL for one in found) else 0


def _checks(state: State) -> Iterator[tuple[str, str, str]]:
    from tinker._http import config, credentials  # noqa: PLC0415  # imported when used

    yield (
        "version",
        _INFO,
        f"tinker {tinker.__version__}, Python {platform.python_version()}, {platform.platform()}",
    )
    origin = (
        "--base-url"
        if state.base_url
        else "TINKER_BASE_URL"
        if os.environ.get("TINKER_BASE_URL")
        else "the default"
    )
    given = state.base_url or os.environ.get("TINKER_BASE_URL") or config.DEFAULT_BASE_URL
    shown = given if "@" not in given else "(an address with a user or password)"
    yield "server", _INFO, f"{shown}, from {origin}"
    yield _key(credentials, needed=not state.rest_is_local)
    for name in _SETTINGS:
        if value := os.environ.get(name):
            yield "setting", _INFO, f"{name}={value}"
    if os.environ.get("HF_TOKEN"):
        yield "setting", _INFO, "HF_TOKEN is set"
    for name in _PROXIES:
        value = os.environ.get(name) or os.environ.get(name.lower())
        if value:
            parts = urlsplit(value)
            host = parts.hostname or value.rpartition("@")[2]
            yield "proxy", _INFO, f"{name}: {host}{f':{parts.port}' if parts.port else ''}"
    try:
        url = config.resolve(state.base_url, None).base_url
    except (ValueError, tinker.TinkerError) as error:
        yield "settings", _FAIL, str(error)
        return
    reached = yield from _reach(url)
    if reached:
        yield from _server(state)


def _key(credentials: Any, *, needed: bool) -> tuple[str, str, str]:
    from tinker.cli.credentials import Store  # noqa: PLC0415  # imported when used

    try:
        if key := os.environ.get("TINKER_API_KEY"):
            credentials.check_shape(key, "TINKER_API_KEY")
            kind = "a JWT" if key.strip().startswith("eyJ") else "an API key"
            return "credential", _OK, f"{kind}, from TINKER_API_KEY"
        if credentials.command():
            return "credential", _INFO, f"what {credentials.COMMAND_VARIABLE} prints (not run)"
        if Store.open().default is not None and credentials.stored():
            return (
                "credential",
                _OK,
                f"stored by `tinker auth login` in {credentials.credentials_file()}",
            )
    except (ValueError, tinker.TinkerError) as error:
        return "credential", _FAIL, str(error)
    if needed:
        return "credential", _WARN, "none: run `tinker auth login`, or set TINKER_API_KEY"
    return "credential", _INFO, "none; a server on this machine works without one"


def _reach(url: str) -> Generator[tuple[str, str, str], None, bool]:
    """Check the connection, and return whether there is one."""
    import httpx  # noqa: PLC0415

    began = time.monotonic()
    try:
        response = httpx.get(f"{url}/api/v1/healthz", timeout=10)
    except httpx.HTTPError as error:
        yield "connection", _FAIL, f"{url} does not respond: {error}"
        return False
    milliseconds = (time.monotonic() - began) * 1000
    status = _OK if response.is_success else _FAIL
    yield "connection", status, f"health check: {response.status_code} in {milliseconds:.0f} ms"
    if date := response.headers.get("date"):
        yield "clock", *_clock(date)
    if server := response.headers.get("server"):
        yield "software", _INFO, server
    return True


def _clock(date: str) -> tuple[str, str]:
    """How far this machine's clock is from a header `Date`."""
    try:
        apart = time.time() - parsedate_to_datetime(date).timestamp()
    except ValueError:
        return _WARN, f"the server's header Date is not a date: {date!r}"
    if abs(apart) > _CLOCK_SECONDS:
        return _WARN, f"this machine's clock is {apart:+.0f} s from the server's"
    return _OK, "agrees with the server's"


def _server(state: State) -> Iterator[tuple[str, str, str]]:
    try:
        models = state.rest.get_server_capabilities().result(timeout=30).supported_models
    except (tinker.TinkerError, TimeoutError) as error:
        refused = isinstance(error, tinker.AuthenticationError)
        yield "credential" if refused else "models", _FAIL, str(error)
        return
    names = [model.model_name or "?" for model in models]
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    yield "models", _OK if names else _WARN, shown or "the server offers none"
    yield "traits", _INFO, _traits(state)


def _traits(state: State) -> str:
    """What is known of the server before anything is sent to it, and its settings for clients."""
    session = state.rest.session
    if not session.traits.has_client_config:
        return f"no client/config; training batches are sent as {session.traits.first_guess}"
    usual = type(session.config)().to_dict()
    changed = [
        f"{name}={value}"
        for name, value in session.config.to_dict().items()
        if usual.get(name) != value
    ]
    return (
        f"client/config with {', '.join(changed) or 'the defaults of the contract'}; "
        f"training batches are sent as {session.traits.first_guess} first"
    )
