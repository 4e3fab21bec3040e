"""Connections that say nothing, or of which there are too many."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import jsonschema_rs
import orjson
import pytest

from tests.support.raw_client import MODEL, Raw
from tests.support.server_process import ServerProcess
from tinker_local import LocalServer
from tinker_local.options import Options
from tinker_local.protocol import contract

HEAD = (
    b"POST /api/v1/optim_step HTTP/1.1\r\nHost: localhost\r\nX-API-Key: tml-x\r\n"
    b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n"
)


def connect(url: str) -> socket.socket:
    address = urlsplit(url)
    return socket.create_connection((address.hostname, address.port), timeout=30)


def everything(connection: socket.socket) -> bytes:
    """What comes until the server closes the connection."""
    received = b""
    while piece := connection.recv(65536):
        received += piece
    return received


@pytest.mark.parametrize("sent", [b"", b"GET /api/v1/hea", HEAD[:-2], HEAD, HEAD + b"{"])
def test_half_a_request_is_given_up(sent: bytes) -> None:
    with (
        LocalServer(options=Options(receive_seconds=0.2)) as running,
        connect(running.url) as connection,
    ):
        connection.sendall(sent)
        answer = everything(connection)
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b'{"detail":"No' in answer


def test_a_body_that_does_not_arrive_is_reported_as_the_contract_says() -> None:
    """By every operation that takes one."""
    takes_body = [one for one in contract.operations() if one.media_types]
    with (
        LocalServer(options=Options(receive_seconds=0.2)) as running,
        Raw(running.url) as raw,
        contextlib.ExitStack() as stack,
    ):
        asked = {"base_model": MODEL, "lora_config": {"rank": 4}}
        urls = raw.post("external_weights_upload_start", asked)["urls"].values()
        place = next(iter(urls))
        connections = {}
        for operation in takes_body:
            path, headers = operation.path, {"X-API-Key": "tml-x"}
            if operation.operation_id == "put_file":
                path, headers = urlsplit(place["url"]).path, place["headers"]
            headers = {"Host": "localhost", "Content-Length": "100", **headers}
            headers.setdefault("Content-Type", operation.media_types[0])
            lines = [
                f"{operation.method} {path.replace('{', '').replace('}', '')} HTTP/1.1",
                *(f"{name}: {value}" for name, value in headers.items()),
            ]
            connection = stack.enter_context(connect(running.url))
            connection.sendall("\r\n".join([*lines, "", ""]).encode())
            connections[operation.operation_id] = connection
        answers = {name: everything(connection) for name, connection in connections.items()}
    assert len(answers) > 25
    components = contract.document()["components"]
    for operation in takes_body:
        head, _, body = answers[operation.operation_id].partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 408 "), (operation.operation_id, head)
        documented = contract.document()["paths"][operation.path][operation.method.lower()]
        (content,) = contract.resolved(documented["responses"]["408"])["content"].values()
        assert jsonschema_rs.is_valid(
            {**content["schema"], "components": components}, orjson.loads(body)
        ), (operation.operation_id, body)


def test_half_a_second_request_is_given_up_too() -> None:
    with (
        LocalServer(options=Options(receive_seconds=0.2)) as running,
        connect(running.url) as connection,
    ):
        request = b"GET /api/v1/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
        connection.sendall(request + request[:20])
        answer = everything(connection)
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert b"HTTP/1.1 408 " in answer


def test_a_long_poll_is_not_given_up() -> None:
    options = Options(receive_seconds=0.2, poll_seconds=1)
    with LocalServer(options=options) as running, Raw(running.url) as raw:
        model_id = raw.model()
        promise = raw.post("optim_step", {"model_id": model_id, "seq_id": 2, "adam_params": {}})
        assert raw.poll(promise).json()["type"] == "try_again"


def test_too_many_connections_get_a_503() -> None:
    with (
        LocalServer(options=Options(max_connections=5)) as running,
        contextlib.ExitStack() as stack,
    ):
        for _ in range(5):
            connection = stack.enter_context(connect(running.url))
            connection.sendall(HEAD)
        answer = everything(stack.enter_context(connect(running.url)))
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b'{"detail":"The server has 5 connections, its maximum"}' in answer
        connection.close()
        while True:  # as soon as one is free
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{running.url}/api/v1/healthz").status_code == 200:
                    break


def test_the_log_is_bounded(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "data") as server:
        for _ in range(50):
            with connect(server.url) as connection:
                connection.sendall(b"nonsense\r\n\r\n")
                everything(connection)
        assert 0 < len(server.log.read_text().splitlines()) <= 10
