"""Tokenizers from the hub: downloaded once into a cache that processes share, then used offline.

The hub is a small server here that speaks as much of the hub's protocol as its client needs. Each
tokenizer is asked for in a process of its own, since the client reads its settings when imported.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("huggingface_hub")

KIMI_K3 = "f831ab66814297da540d832a5235f8e904f29d06"
PROGRAM = """
import sys
from tinker.tokenizers import TokenizerError, get_tokenizer
try:
    print(get_tokenizer(sys.argv[1]).encode("Hello, hub"))
except (TokenizerError, ImportError) as error:
    print(f"{type(error).__name__}: {error}")
"""


class Hub(ThreadingHTTPServer):
    """Serves one set of files as every repository; counts what is downloaded."""

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files = files
        self.sent: Counter[str] = Counter()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Hub

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path.startswith("/api/models/"):
            _, _, _, org, model, kind, revision = path.split("/")
            commit = (
                revision if len(revision) == 40 else hashlib.sha1(revision.encode()).hexdigest()
            )
            files = self.server.files
            if kind == "revision":
                siblings = [{"rfilename": name} for name in files]
                self._json({"id": f"{org}/{model}", "sha": commit, "siblings": siblings})
            else:
                self._json(
                    [
                        {"type": "file", "path": name, "size": len(content), "oid": _etag(content)}
                        for name, content in files.items()
                    ]
                )
            return
        *_, resolve, commit, name = path.split("/")
        if resolve != "resolve" or name not in self.server.files:
            self.send_response(404)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        content = self.server.files[name]
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", f'"{_etag(content)}"')
        self.send_header("X-Repo-Commit", commit)
        self.end_headers()
        if self.command == "GET":
            self.server.sent[f"{commit}/{name}"] += 1
            self.wfile.write(content)

    do_HEAD = do_GET

    def _json(self, content: Any) -> None:
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


def _etag(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()


@pytest.fixture
def hub(small: dict[str, Any]) -> Iterator[Hub]:
    files = {
        "tokenizer.json": json.dumps(small).encode(),
        "tokenizer_config.json": b'{"eos_token": "</s>"}',
        "model.safetensors": b"weights",
    }
    with Hub(files) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def _start(name: str, hub_url: str, home: Path, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, name],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={
            **{key: value for key, value in os.environ.items() if not key.startswith("HF_")},
            "HF_ENDPOINT": hub_url,
            "HF_HOME": str(home),
            "PYTHONPATH": os.pathsep.join(sys.path),
            **environment,
        },
    )


def _ask(name: str, hub_url: str, home: Path, **environment: str) -> str:
    output, _ = _start(name, hub_url, home, **environment).communicate(timeout=100)
    return output.strip()


def test_downloaded_once_by_many_processes_and_then_used_offline(
    hub: Hub, small: dict[str, Any], tmp_path: Path
) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    expected = str(tokenizers.Tokenizer.from_str(json.dumps(small)).encode("Hello, hub").ids)

    processes = [_start("org/model", hub.url, tmp_path) for _ in range(3)]
    assert {process.communicate(timeout=100)[0].strip() for process in processes} == {expected}
    downloads = hub.sent.total()
    assert all(not name.endswith("safetensors") for name in hub.sent)
    assert set(hub.sent.values()) == {1}

    assert _ask("org/model:variant", hub.url, tmp_path, HF_HUB_OFFLINE="1") == expected
    hub.shutdown()
    assert _ask("org/model", "http://127.0.0.1:9", tmp_path) == expected
    assert hub.sent.total() == downloads


def test_pinned_revisions(hub: Hub, tmp_path: Path) -> None:
    assert _ask("moonshotai/Kimi-K3", hub.url, tmp_path).startswith("[")
    assert {name.partition("/")[0] for name in hub.sent} == {KIMI_K3}


def test_nothing_here_and_offline(tmp_path: Path) -> None:
    answer = _ask("org/model", "http://127.0.0.1:9", tmp_path, HF_HUB_OFFLINE="1")
    assert answer.startswith("TokenizerError: The tokenizer of 'org/model' is neither in the cache")
    assert str(tmp_path) in answer
    assert "HF_HUB_OFFLINE is set" in answer
    assert "put them into a folder of the model's name in the current directory" in answer


def test_nothing_here_and_no_network(tmp_path: Path) -> None:
    answer = _ask("moonshotai/Kimi-K3", "http://127.0.0.1:9", tmp_path)
    assert f"'moonshotai/Kimi-K3' at revision {KIMI_K3} is neither in the cache" in answer
    assert "http://127.0.0.1:9" in answer


def test_a_repository_without_a_tokenizer(hub: Hub, tmp_path: Path) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json"):
        del hub.files[name]
    assert "no supported tokenizer file" in _ask("org/model", hub.url, tmp_path)


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    from tinker.tokenizers import get_tokenizer

    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ImportError, match=r"pip install .*\[tokenizers\]'"):
        get_tokenizer("org/never-loaded")
