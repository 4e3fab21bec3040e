"""A server that responds as a test says: for each operation a list of responses, the last one repeated."""

from __future__ import annotations

import contextlib
import json
import threading
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import tinker

Answer = tuple[int, Any] | tuple[int, Any, dict[str, str]]

DEFAULTS: dict[str, list[Answer]] = {
    "config": [(200, {})],
    "dynamic_config": [(404, {"detail": "Not Found"})],
    "create_session": [(200, {"type": "create_session", "session_id": "s"})],
    "create_model": [(200, {"request_id": "s:train:0:0", "model_id": "s:train:0"})],
    "get_info": [(200, {"model_id": "s:train:0", "model_data": {"model_name": "m"}})],
    "create_sampling_session": [
        (200, {"type": "create_sampling_session", "sampling_session_id": "s:sample:0"})
    ],
    "optim_step": [(200, {"request_id": "s:train:0:1"})],
    "forward_backward": [(200, {"request_id": "s:train:0:1"})],
    "save_weights": [(200, {"request_id": "s:train:0:1"})],
    "asample": [(200, {"request_id": "s:sample:0:0"})],
    "cancel_future": [(200, {})],
    "session_heartbeat": [(200, {"type": "session_heartbeat"})],
    "finish": [(200, {})],
    "retrieve_future": [(200, {"type": "create_model", "model_id": "s:train:0"})],
}


class ScriptedServer:
    """`with ScriptedServer(optim_step=[(500, {}), (200, …)]) as server:`; `server.seen` is what came."""

    def __init__(self, **answers: list[Answer]) -> None:
        self.seen: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.paths: set[str] = set()
        self._answers = {**DEFAULTS, **answers}
        self._lock = threading.Lock()
        script = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # head and body in one packet: a second one would wait 40 ms

            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                script.paths.add(self.path)
                operation = self.path.partition("?")[0].rpartition("/")[2]
                status, body, *headers = script.answer(
                    operation, content, {k.lower(): v for k, v in self.headers.items()}
                )
                payload = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response_only(status)
                kind = "text/html" if isinstance(body, bytes) else "application/json"
                for name, value in {
                    "Date": self.date_time_string(),
                    "Content-Type": kind,
                    "Content-Length": str(len(payload)),
                    **(headers[0] if headers else {}),
                }.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(payload)

            do_GET = do_PUT = do_DELETE = do_POST

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._services = contextlib.ExitStack()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, operation: str, content: bytes, headers: dict[str, str]) -> Answer:
        try:
            body = json.loads(content or b"{}")
        except ValueError:
            body = {"bytes": content}
        with self._lock:
            self.seen[operation].append({**body, "headers": headers})
            answers = self._answers.get(operation, [(404, {"detail": "Not Found"})])
            return answers.pop(0) if len(answers) > 1 else answers[0]

    def script(self, **answers: list[Answer]) -> None:
        """From now on answer so."""
        with self._lock:
            self._answers.update(answers)

    def service(self) -> tinker.ServiceClient:
        """A client, which is closed before the server is."""
        return self._services.enter_context(tinker.ServiceClient(base_url=self.url))

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._services.close()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
