"""`hf://NAME:SPLIT` as the data of a command, from a hub on this machine."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec

import pytest

from tests.support.command import Cli, Ended

pytestmark = pytest.mark.skipif(find_spec("datasets") is None, reason="needs the package datasets")

ROWS = [{"prompt": f"{n} plus 1 is ", "completion": f"{n + 1}."} for n in range(24)]
FILES = {
    "train.jsonl": "".join(json.dumps(row) + "\n" for row in ROWS),
    "test.jsonl": json.dumps(ROWS[3]) + "\n",
    "README.md": "---\nlicense: mit\n---\n",
}
COMMIT = "1" * 40


class Hub(BaseHTTPRequestHandler):
    """A hub with one dataset, `somebody/sums`."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        api, files = "/api/datasets/somebody/sums", "/datasets/somebody/sums/resolve/"
        name = path.rpartition("/")[2]
        if path in (api, f"{api}/revision/main", f"{api}/revision/{COMMIT}"):
            siblings = [{"rfilename": one} for one in FILES]
            facts = {"id": "somebody/sums", "sha": COMMIT, "tags": [], "siblings": siblings}
            self.reply(200, json.dumps({**facts, "private": False}).encode())
        elif path == f"{api}/tree/{COMMIT}":
            listed = [
                {"type": "file", "path": one, "size": len(text), "oid": "0" * 40}
                for one, text in FILES.items()
            ]
            self.reply(200, json.dumps(listed).encode())
        elif path.startswith(files) and name in FILES:
            content = FILES[name].encode()
            etag = hashlib.sha1(content, usedforsecurity=False).hexdigest()
            self.reply(200, content, {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT})
        else:
            missing = "EntryNotFound" if "/somebody/sums" in path else "RepoNotFound"
            self.reply(404, b'{"error": "Not Found"}', {"X-Error-Code": missing})

    do_HEAD = do_GET

    def reply(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def hub() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def of_hub(process: Cli, hub: str, *arguments: str) -> Ended:
    return process(*arguments, env={"HF_ENDPOINT": hub, "HF_HUB_DISABLE_TELEMETRY": "1"})


def test_a_dataset_of_the_hub_is_trained_on(process: Cli, hub: str) -> None:
    common = ("--batch-size", "8", "--rank", "4", "--eval-fraction", "0", "--epochs", "1")
    trained = of_hub(process, hub, "train", "hf://somebody/sums", *common, "-o", "run")
    assert trained.status == 0, trained.stderr
    steps = (process.folder / "run" / "metrics.jsonl").read_text().splitlines()
    assert sum(json.loads(step)["num_sequences"] for step in steps) == len(ROWS)


def test_a_split_is_chosen(process: Cli, hub: str) -> None:
    shown = of_hub(process, hub, "data", "check", "hf://somebody/sums:test")
    assert shown.status == 0, shown.stderr
    assert "1 row" in shown.stdout + shown.stderr


def test_a_missing_dataset_is_reported(process: Cli, hub: str) -> None:
    refused = of_hub(process, hub, "data", "check", "hf://somebody/else")
    assert refused.status == 1
    assert "hf://somebody/else cannot be loaded: " in refused.stderr
