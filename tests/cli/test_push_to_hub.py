"""`tinker checkpoint push-hf`: a checkpoint goes to the hub as a PEFT adapter, through huggingface_hub."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.support.command import Cli

pytest.importorskip("huggingface_hub")


class Hub(BaseHTTPRequestHandler):
    """What huggingface_hub asks for when it creates a repository and commits small files; keeps what it is sent."""

    server: HubServer

    def do_POST(self) -> None:
        import base64

        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.headers.get("authorization") != "Bearer hf_test":
            return self.reply(401, {"error": "who are you?"})
        if self.server.refuses:
            return self.reply(403, {"error": "no rights"})
        if self.path.endswith("/validate-yaml"):
            return self.reply(200, {"errors": [], "warnings": []})
        if self.path.endswith("/repos/create"):
            self.server.created.append(json.loads(body))
            return self.reply(
                200, {"url": f"http://{self.headers['host']}/me/{json.loads(body)['name']}"}
            )
        if "/preupload/" in self.path:
            files = json.loads(body)["files"]
            return self.reply(
                200,
                {
                    "files": [
                        {"path": one["path"], "uploadMode": "regular", "shouldIgnore": False}
                        for one in files
                    ]
                },
            )
        if "/commit/" in self.path:
            for line in body.splitlines():
                entry = json.loads(line)
                if entry["key"] == "file":
                    self.server.files[entry["value"]["path"]] = base64.b64decode(
                        entry["value"]["content"]
                    )
            return self.reply(
                200,
                {
                    "commitUrl": f"http://{self.headers['host']}/me/x/commit/1",
                    "commitOid": "1",
                    "success": True,
                },
            )
        return self.reply(404, {"error": self.path})

    def do_GET(self) -> None:
        self.reply(200, {"type": "model", "id": "me/x", "sha": "0", "name": "me", "siblings": []})

    def reply(self, status: int, value: dict[str, Any]) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Quiet."""


class HubServer(ThreadingHTTPServer):
    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Hub)
        self.created: list[dict[str, Any]] = []
        self.files: dict[str, bytes] = {}
        self.refuses = False


@pytest.fixture
def hub() -> Iterator[HubServer]:
    server = HubServer()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_adapter_and_a_card_are_pushed(
    process: Cli, saved: tuple[str, str], hub: HubServer
) -> None:
    env = {
        "HF_ENDPOINT": f"http://127.0.0.1:{hub.server_port}",
        "HF_TOKEN": "hf_test",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    done = process("-f", "json", "checkpoint", "push-hf", saved[0], "--repo", "me/x", env=env)
    assert done.status == 0, done.stderr
    assert done.json["url"].endswith("/me/x/commit/1")
    assert (done.json["repo_id"], done.json["public"]) == ("me/x", False)
    assert hub.created[0]["name"] == "x"
    assert hub.created[0]["visibility"] == "private"
    assert set(hub.files) == {"README.md", "adapter_config.json", "adapter_model.safetensors"}
    assert json.loads(hub.files["adapter_config.json"])["r"] == 4
    assert b"base_model: tinker-local/tiny" in hub.files["README.md"]
    hub.files.clear()
    process(
        "checkpoint",
        "push-hf",
        saved[0],
        "--repo",
        "me/x",
        "--public",
        "--no-model-card",
        "--ignore-pattern",
        "*.json",
        env=env,
    )
    assert set(hub.files) == {"adapter_model.safetensors"}
    assert hub.created[-1]["visibility"] == "public"


def test_a_rejection_by_the_hub_is_reported_without_the_token(
    process: Cli, saved: tuple[str, str], hub: HubServer
) -> None:
    hub.refuses = True
    env = {"HF_ENDPOINT": f"http://127.0.0.1:{hub.server_port}", "HF_TOKEN": "hf_test"}
    done = process("checkpoint", "push-hf", saved[0], "--repo", "me/x", env=env)
    assert done.status == 1
    assert "The hub rejected the adapter" in done.stderr
    assert "hf_test" not in done.stderr
    none = process(
        "checkpoint", "push-hf", saved[0], "--repo", "me/x", env={"HF_ENDPOINT": env["HF_ENDPOINT"]}
    )
    assert none.status == 1
    assert none.stderr.count("\n") < 8


def test_a_hub_that_cannot_be_reached(process: Cli, saved: tuple[str, str]) -> None:
    env = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_TOKEN": "hf_test"}
    done = process("checkpoint", "push-hf", saved[0], "--repo", "me/x", env=env)
    assert done.status == 1
    assert "The hub cannot be reached" in done.stderr
    assert "unexpected" not in done.stderr
