"""Addresses that lead nowhere, or not to a Tinker server: the error names what to look at, before anything is lost."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from typing import Any

import pytest

import tinker
from tests.support.scripted_server import ScriptedServer
from tinker.service import ServiceClient

pytestmark = pytest.mark.usefixtures("short_pauses")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that nothing listens on, and nothing else can take meanwhile."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def connect(url: str) -> str:
    """The error of a first call."""
    with pytest.raises(tinker.APIConnectionError) as failed:
        ServiceClient(base_url=url, api_key="tml-secret").get_server_capabilities()
    assert "tml-secret" not in str(failed.value)
    assert not failed.value.outcome_unknown
    return str(failed.value)


def test_a_name_that_cannot_be_resolved_is_named() -> None:
    text = connect("https://tinker.invalid/services")
    assert "the name tinker.invalid cannot be resolved: " in text
    assert "Check TINKER_BASE_URL." in text


@pytest.mark.parametrize("variable", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
def test_a_dead_proxy_is_named_with_its_variable(
    variable: str, closed_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, f"http://user:secret@127.0.0.1:{closed_port}")
    text = connect("http://tinker.invalid")
    assert f"the proxy http://127.0.0.1:{closed_port} ({variable}) cannot connect to" in text
    assert "user" not in text and "secret" not in text


def test_a_port_that_nobody_listens_on(closed_port: int) -> None:
    text = connect(f"http://127.0.0.1:{closed_port}")
    assert "connection refused" in text and "Is the server running?" in text


@pytest.mark.parametrize("end", ["/api/v1", "/api/v1/", ""])
def test_the_path_of_the_api_may_be_part_of_the_address(end: str) -> None:
    with ScriptedServer(get_server_capabilities=[(200, {"supported_models": []})]) as server:
        client = ServiceClient(base_url=server.url + end)
        assert client.get_server_capabilities().supported_models == []
        assert client.holder.settings.base_url == server.url


@pytest.mark.parametrize(
    ("headers", "error", "text"),
    [
        (
            {"X-Name": "Jos\u0119"},
            ValueError,
            "'X-Name' has '\u0119' at position 3",
        ),
        ({"X-Name": "a\r\nX-Evil: b"}, ValueError, r"'X-Name' has '\\r' at position 1"),
        ({"X-Name": "a\nb"}, ValueError, r"'X-Name' has '\\n' at position 1"),
        ({"X-Name": "a\0b"}, ValueError, "'X-Name' has"),
        ({"X Name": "a"}, ValueError, "'X Name' is not a header name"),
        ({"": "a"}, ValueError, "'' is not a header name"),
        ({"X-Name": 7}, TypeError, "'X-Name' is of type int; it must be a string"),
    ],
)
def test_headers_that_cannot_be_sent_are_refused_at_once(
    headers: Any, error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        ServiceClient(base_url="http://127.0.0.1:9", default_headers_overrides=headers)


def test_headers_that_can_be_sent_are_sent() -> None:
    with ScriptedServer(get_server_capabilities=[(200, {"supported_models": []})]) as server:
        headers = {"X-Name": "José", "X-Empty": ""}
        client = ServiceClient(base_url=server.url, default_headers_overrides=headers)
        client.get_server_capabilities()
        (seen,) = server.seen["get_server_capabilities"]
    assert seen["headers"]["x-empty"] == ""
    assert seen["headers"]["x-name"] == "José"


@pytest.mark.parametrize("name", [name for name in dir(tinker) if name.endswith("Client")])
def test_a_client_whose_construction_failed_has_a_repr(name: str) -> None:
    """As debuggers and tracebacks with local variables show it."""
    client: Any = getattr(tinker, name)
    assert repr(client.__new__(client)) == f"<{name} (construction failed)>"


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("ftp://h", "base_url is 'ftp://h'; it must be an http:// or https:// address, or 'local'"),
        ("http://user:secret@h", "must not contain a user or password; use api_key instead"),
        ("http://h/?token=secret", "must not contain a query or a fragment"),
        ("http://h/services#secret", "must not contain a query or a fragment"),
    ],
)
def test_an_address_to_which_no_path_can_be_appended_is_rejected(
    address: str, message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)) as refused:
        ServiceClient(base_url=address, api_key="tml-secret")
    assert "secret" not in str(refused.value)
