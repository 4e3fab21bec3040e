"""A proxy in front of a server that spoils chosen exchanges, each in one of many ways."""

from __future__ import annotations

import contextlib
import http.client
import random
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import urlsplit

from attrs import field, frozen

_OTHER = b'{"greeting": "hello"}'
PAGE = b"<!doctype html><title>502</title><h1>cloud</h1>"


@frozen
class Fault:
    """What happens to one exchange."""

    name: str
    sent: int
    """How often the server gets the request: 0, 1, or 2 for a duplicate."""
    status: int | None = None
    """Of the response in place of the server's; None: the server's, if anything."""
    body: bytes = b""
    kind: str = "text/html"
    end: str = ""
    """How the connection ends early: `close`, `reset`, or `cut` in the middle of the response."""
    headers: Mapping[str, str] = field(factory=dict)

    def outcome(self, operation: str) -> str:
        """What the client does: `again`, it sends the request once more; `once`, or `defaults`, it does not."""
        if self.sent == 2:
            return "once"
        is_an_object = self.status == 200 and self.body in (b"{}", _OTHER)
        # Settings may all be left out.
        return "defaults" if operation.startswith("client/") and is_an_object else "again"


def _faults() -> list[Fault]:
    found = []
    for when, sent in (("before", 0), ("after", 1)):
        for status, what in (
            (200, "page"), (400, "bare"), (400, "page"), (404, "bare"), (404, "page"), (405, "page"),
            (409, "bare"), (409, "page"), (500, "json"), (502, "page"), (503, "json"), (504, "page"),
        ):  # fmt: skip
            body = {"bare": b"", "page": PAGE, "json": b'{"detail": "oops"}'}[what]
            kind = "application/json" if what == "json" else "text/html"
            found.append(Fault(f"{status} {what} {when}", sent, status, body, kind))
        for what, body in (
            ("object", b"{}"), ("list", b"[]"), ("null", b"null"), ("nothing", b""),
            ("garbage", b'{"request_id": "\xff'), ("other", _OTHER),
        ):  # fmt: skip
            found.append(Fault(f"200 {what} {when}", sent, 200, body, "application/json"))
        found += [Fault(f"{end} {when}", sent, end=end) for end in ("close", "reset")]
    later = b'{"detail": "later"}'
    found += [
        Fault("408 before", 0, 408, later, "application/json"),
        Fault("425 before", 0, 425, later, "application/json"),
        Fault("429 before", 0, 429, later, "application/json", headers={"retry-after-ms": "5"}),
        Fault("402 before", 0, 402, later, "application/json"),
        Fault("cut after", 1, end="cut"),
        Fault("duplicate", 2),
    ]
    return found


FAULTS = {fault.name: fault for fault in _faults()}

PLACES = [
    *((operation, 0) for operation in (
        "client/config", "client/dynamic_config", "create_session", "create_model", "get_info",
        "forward_backward", "optim_step", "save_weights", "save_weights_for_sampler",
        "create_sampling_session", "samplers", "asample", "retrieve_future",
    )),
    # By then, the client knows the encoding. The number counts exchanges: a fault makes one more.
    ("forward_backward", 2), ("optim_step", 2), ("retrieve_future", 3),
]  # fmt: skip
"""Operations, and which of their exchanges is spoilt."""

Plan = Callable[[str, int], Fault | None]
"""The fault of an operation's exchange with this number, from 0; None: it goes through."""


def at(operation: str, number: int, faults: Sequence[Fault]) -> Plan:
    """These faults, one after the other, from an operation's exchange with this number."""

    def plan(name: str, count: int) -> Fault | None:
        index = count - number
        return faults[index] if name == operation and 0 <= index < len(faults) else None

    return plan


def anywhere(seed: int, probability: float, in_a_row: int = 2) -> Plan:
    """Faults at random: the same ones for the same seed, and never more than so many in a row."""
    streak: Counter[str] = Counter()
    choices: dict[str, random.Random] = {}

    def plan(name: str, count: int) -> Fault | None:
        choose = choices.setdefault(name, random.Random(f"{seed} {name}"))
        struck = choose.random() < probability
        fault = choose.choice(list(FAULTS.values()))
        streak[name] = streak[name] + 1 if struck and streak[name] < in_a_row else 0
        return fault if streak[name] else None

    return plan


class FaultProxy:
    """`with FaultProxy(server.url) as proxy:` - clients of `proxy.url` are clients of the server."""

    def __init__(self, url: str) -> None:
        self.plan: Plan = lambda operation, number: None
        self.struck: Counter[str] = Counter()
        """By the name of the fault, and by operation."""
        self.exchanges: Counter[str] = Counter()
        """By operation."""
        self._lock = threading.Lock()
        place = urlsplit(url)
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1

            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                fault = proxy._fault(_operation(self.path))
                for _ in range(1 if fault is None else fault.sent):
                    response, body = self.forward(content)
                if fault is None or (fault.status is None and fault.end in ("", "cut")):
                    self.answer(response.status, dict(response.getheaders()), body, fault)
                elif fault.status is not None:
                    self.answer(
                        fault.status, {"Content-Type": fault.kind, **fault.headers}, fault.body
                    )
                else:
                    self.hang_up(reset=fault.end == "reset")

            do_GET = do_PUT = do_DELETE = do_POST

            def forward(self, content: bytes) -> tuple[http.client.HTTPResponse, bytes]:
                server = http.client.HTTPConnection(place.hostname or "", place.port, timeout=60)
                with contextlib.closing(server):
                    server.request(self.command, self.path, content, dict(self.headers.items()))
                    response = server.getresponse()
                    return response, response.read()

            def answer(
                self, status: int, headers: dict[str, str], body: bytes, fault: Fault | None = None
            ) -> None:
                headers = {k: v for k, v in headers.items() if k.lower() not in _PER_CONNECTION}
                self.send_response_only(status)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                cut = fault is not None and fault.end == "cut"
                self.wfile.write(body[: len(body) // 2] if cut else body)
                if cut:
                    self.hang_up(reset=False)

            def hang_up(self, *, reset: bool) -> None:
                self.wfile.flush()
                if reset:
                    linger = struct.pack("ii", 1, 0)
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                else:
                    self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True

            def log_message(self, format: str, *args: object) -> None:
                pass

        class Listening(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def shutdown_request(
                self, request: socket.socket | tuple[bytes, socket.socket]
            ) -> None:
                self.close_request(request)  # without a FIN first: it may be reset

            def handle_error(self, request: object, client_address: object) -> None:
                pass  # a connection that the other side has closed

        self._server = Listening(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def spoil(self, plan: Plan) -> None:
        """Count exchanges from 0 again, and spoil them so."""
        with self._lock:
            self.plan = plan
            self.exchanges.clear()
            self.struck.clear()

    def _fault(self, operation: str) -> Fault | None:
        with self._lock:
            number = self.exchanges[operation]
            self.exchanges[operation] += 1
            fault = self.plan(operation, number)
            if fault is not None:
                self.struck[fault.name] += 1
                self.struck[operation] += 1
            return fault

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


_PER_CONNECTION = {"connection", "content-length", "transfer-encoding", "date", "server"}


def _operation(path: str) -> str:
    """`forward_backward`, `client/config`, `samplers`: what tells operations apart, without ids."""
    parts = path.partition("?")[0].removeprefix("/api/v1/").split("/")
    return "/".join(parts) if parts[0] == "client" else parts[0]
