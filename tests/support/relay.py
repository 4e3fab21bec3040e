"""A relay in front of a server, which keeps what goes over the wire."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from typing import Self
from urllib.parse import urlsplit

from attrs import define, field, frozen

_REQUEST = re.compile(rb"(?:GET|POST|PUT|DELETE) (\S+) HTTP/1\.1\r\n((?:[^\r\n]+\r\n)*)\r\n")
_ANSWER = re.compile(rb"HTTP/1\.1 (\d+) [^\r\n]*\r\n((?:[^\r\n]+\r\n)*)\r\n")


@frozen
class Exchange:
    """One request and its answer."""

    path: str
    sent: dict[str, str]
    """Headers of the request, by their names in lower case."""
    status: int
    came: dict[str, str]
    """Headers of the answer."""
    content: bytes
    """Of the answer, if its head tells how long it is."""


@define
class _Connection:
    sent: bytearray = field(factory=bytearray)
    came: bytearray = field(factory=bytearray)


class Relay:
    """`with Relay(server.url) as relay:` - clients of `relay.url` are clients of the server."""

    def __init__(self, url: str) -> None:
        place = urlsplit(url)
        self._server = (place.hostname or "", place.port or 0)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._connections: list[_Connection] = []
        self._sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def exchanges(self, operation: str) -> list[Exchange]:
        """Those whose path ends with the operation's name, as far as they are complete."""
        found = []
        for connection in self._connections:
            # Neither side sends ahead, so the heads of a connection are pairs.
            requests = _REQUEST.finditer(bytes(connection.sent))
            came_so_far = bytes(connection.came)
            answers = _ANSWER.finditer(came_so_far)
            for request, answer in zip(requests, answers, strict=False):
                path, came = request[1].decode(), _headers(answer[2])
                if path.endswith(f"/{operation}"):
                    end = answer.end() + int(came.get("content-length", 0))
                    content = came_so_far[answer.end() : end]
                    status, sent = int(answer[1]), _headers(request[2])
                    found.append(Exchange(path, sent, status, came, content))
        return found

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return  # it is over
            server = socket.create_connection(self._server)
            self._sockets += (client, server)
            connection = _Connection()
            self._connections.append(connection)
            for source, target, kept in (
                (client, server, connection.sent),
                (server, client, connection.came),
            ):
                thread = threading.Thread(target=_pump, args=(source, target, kept))
                self._threads.append(thread)
                thread.start()

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *exc: object) -> None:
        # A socket that is only closed does not wake who waits for it.
        for one in (self._listening, *self._sockets):
            _end(one)
        for thread in self._threads:
            thread.join()
        for one in (self._listening, *self._sockets):
            one.close()


def _pump(source: socket.socket, target: socket.socket, kept: bytearray) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            kept += data
            target.sendall(data)
    _end(source)
    _end(target)


def _end(one: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it may have ended already
        one.shutdown(socket.SHUT_RDWR)


def _headers(lines: bytes) -> dict[str, str]:
    pairs = (line.partition(":")[::2] for line in lines.decode("latin-1").splitlines())
    return {name.lower(): value.strip() for name, value in pairs}
