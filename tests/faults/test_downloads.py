"""Downloads of checkpoints from servers that break off, expire, lie or set traps."""

from __future__ import annotations

import base64
import bz2
import gzip
import hashlib
import io
import lzma
import random
import tarfile
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import tinker
from tests.support.scripted_server import ScriptedServer
from tinker._protocol import retry

PATH = "tinker://run/sampler_weights/a"


def tar(*members: tuple[str, bytes], kind: bytes = tarfile.REGTYPE) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as file:
        for name, content in members:
            entry = tarfile.TarInfo(name)
            entry.type, entry.size = kind, len(content) if kind == tarfile.REGTYPE else 0
            entry.linkname = "/etc/passwd" if kind != tarfile.REGTYPE else ""
            file.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def damaged(compressed: bytes) -> bytes:
    """With a byte in the middle that is another one."""
    middle = len(compressed) // 2
    return compressed[:middle] + bytes([compressed[middle] ^ 0xFF]) + compressed[middle + 1 :]


CONTENT = bytes(range(256)) * 4000
ARCHIVE = tar(("adapter_model.safetensors", CONTENT))
NOISE = tar(("noise", random.Random(0).randbytes(50_000)))


class Store:
    """A server with one archive; `file` answers requests for it."""

    def __init__(self, file: Callable[[Store, Any], None]) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        store = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.reply(404, b"{}")

            def do_GET(self) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                store.asked.append((self.path, headers))
                if self.path.endswith("/archive"):
                    store.archive(self)
                else:
                    file(store, self)

            def reply(
                self, status: int, body: bytes = b"", length: int | None = None, **headers: str
            ) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body) if length is None else length))
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.end_headers()
                self.wfile.write(body)
                if length is not None and length != len(body):
                    self.close_connection = True

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.building = 0

    def archive(self, handler: Any) -> None:
        if self.building:
            self.building -= 1
            handler.reply(503, b"{}", Retry_After="0.01")
            return
        handler.reply(302, Location=f"/file?turn={len(self.files)}")

    @property
    def files(self) -> list[tuple[str, dict[str, str]]]:
        return [one for one in self.asked if one[0].startswith("/file")]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def started() -> Iterator[Callable[[Callable[[Store, Any], None]], Store]]:
    stores: list[Store] = []

    def start(file: Callable[[Store, Any], None]) -> Store:
        stores.append(Store(file))
        return stores[-1]

    yield start
    for store in stores:
        store.close()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    policy = tinker.RetryPolicy(budget=5.0, first_pause=0.001, longest_pause=0.001)
    monkeypatch.setattr(retry, "DEFAULT", policy)


def whole(store: Store, handler: Any) -> None:
    """The file, or the range of it that is asked for."""
    asked = dict(store.asked[-1][1])
    if "range" in asked and asked.get("if-range") == '"v1"':
        begin = int(asked["range"].removeprefix("bytes=").rstrip("-"))
        handler.reply(206, ARCHIVE[begin:], ETag='"v1"')
    else:
        handler.reply(200, ARCHIVE, ETag='"v1"')


def get(store: Store, folder: Path) -> Path:
    with tinker.RestClient(base_url=store.url, api_key="tml-secret") as rest:
        return rest.download_checkpoint(PATH, folder).result(timeout=30)


def content(folder: Path) -> bytes:
    return (folder / "adapter_model.safetensors").read_bytes()


def test_a_broken_connection_is_taken_up_where_it_stopped(started: Any, tmp_path: Path) -> None:
    def breaking(store: Store, handler: Any) -> None:
        if len(store.files) <= 2:
            begin = int(
                store.asked[-1][1].get("range", "bytes=0-").removeprefix("bytes=").rstrip("-")
            )
            rest = ARCHIVE[begin:]
            status = 206 if begin else 200
            handler.reply(status, rest[:300_000], length=len(rest), ETag='"v1"')
        else:
            whole(store, handler)

    store = started(breaking)
    assert content(get(store, tmp_path)) == CONTENT
    ranges = [headers.get("range") for _, headers in store.files]
    assert ranges == [None, "bytes=300000-", "bytes=600000-"]
    assert all("x-api-key" not in headers for _, headers in store.files)


def test_an_earlier_process_has_left_a_part(started: Any, tmp_path: Path) -> None:
    store = started(whole)
    work = tmp_path / ".run_sampler_weights_a.partial"
    work.mkdir()
    (work / "archive.tar").write_bytes(ARCHIVE[:1000])
    (work / "archive.tar.json").write_text('{"etag": "\\"v1\\""}')
    assert content(get(store, tmp_path)) == CONTENT
    assert store.files[0][1]["range"] == "bytes=1000-"


def test_a_part_of_another_file_is_thrown_away(started: Any, tmp_path: Path) -> None:
    store = started(whole)
    work = tmp_path / ".run_sampler_weights_a.partial"
    work.mkdir()
    (work / "archive.tar").write_bytes(b"x" * 1000)
    (work / "archive.tar.json").write_text('{"etag": "\\"v0\\""}')
    assert content(get(store, tmp_path)) == CONTENT


def test_an_expired_url_is_requested_again(started: Any, tmp_path: Path) -> None:
    def expiring(store: Store, handler: Any) -> None:
        if len(store.files) == 1:
            handler.reply(403, b"expired")
        else:
            whole(store, handler)

    store = started(expiring)
    store.building = 2
    assert content(get(store, tmp_path)) == CONTENT
    assert [path for path, _ in store.files] == ["/file?turn=0", "/file?turn=1"]


@pytest.mark.parametrize("header", ["Repr_Digest", "Digest", "x_goog_hash"])
def test_a_wrong_checksum_leaves_no_checkpoint(started: Any, tmp_path: Path, header: str) -> None:
    wrong = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
    value = f"sha-256=:{wrong}:" if header == "Repr_Digest" else f"sha-256={wrong}"

    def lying(store: Store, handler: Any) -> None:
        handler.reply(200, ARCHIVE, **{header: value})

    store = started(lying)
    with pytest.raises(
        tinker.TinkerError, match="sha256 of the download differs from the server's"
    ):
        get(store, tmp_path)
    assert not list(tmp_path.glob("run*"))


@pytest.mark.parametrize(
    "archive",
    [
        tar(("../outside", b"x")),
        tar(("/absolute", b"x")),
        tar(("link", b""), kind=tarfile.SYMTYPE),
        tar(("hard", b""), kind=tarfile.LNKTYPE),
        tar(("device", b""), kind=tarfile.CHRTYPE),
        b"no tar at all" * 100,
        damaged(gzip.compress(NOISE)),
        damaged(gzip.compress(ARCHIVE)),
        damaged(bz2.compress(NOISE)),
        damaged(lzma.compress(NOISE)),
    ],
    ids=[
        "parent",
        "absolute",
        "symlink",
        "hardlink",
        "device",
        "garbage",
        "crc",
        "gzip",
        "bzip2",
        "xz",
    ],
)
def test_an_archive_that_is_a_trap_leaves_nothing(
    started: Any, tmp_path: Path, archive: bytes
) -> None:
    store = started(lambda store, handler: handler.reply(200, archive))
    folder = tmp_path / "in" / "here"
    try:
        got = get(store, folder)
    except tinker.TinkerError as error:
        assert "archive of tinker://" in str(error)
    else:  # an absolute name is taken as one within
        assert [file.name for file in got.iterdir()] == ["absolute"]
    assert not (tmp_path / "outside").exists()
    assert not (tmp_path / "in" / "outside").exists()
    assert not Path("/absolute").exists()


def test_a_server_that_never_gets_there_is_given_up_with_what_there_is(
    started: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    never = tinker.RetryPolicy(budget=0.0)
    monkeypatch.setattr(retry, "DEFAULT", never)
    store = started(lambda store, handler: handler.reply(200, ARCHIVE[:10], length=len(ARCHIVE)))
    with pytest.raises(tinker.TinkerError, match="repeat the call to continue"):
        get(store, tmp_path)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 503])
def test_a_store_that_is_slow_for_a_moment_is_asked_again(
    started: Callable[[Callable[[Store, Any], None]], Store], tmp_path: Path, status: int
) -> None:
    def file(store: Store, handler: Any) -> None:
        if len(store.files) == 1:
            handler.reply(status, b"later")
        else:
            whole(store, handler)

    store = started(file)
    folder = tinker.ServiceClient(base_url=store.url).create_rest_client()
    files = folder.download_checkpoint(PATH, tmp_path / "files").result(timeout=10)
    assert (Path(files) / "adapter_model.safetensors").read_bytes() == CONTENT
    assert len(store.files) == 2


def test_a_folder_in_the_archive_is_no_file_of_its_own(started: Any, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        folder = tarfile.TarInfo("files")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        entry = tarfile.TarInfo("files/a")
        entry.size = 1
        archive.addfile(entry, io.BytesIO(b"x"))
    store = started(lambda store, handler: handler.reply(200, buffer.getvalue()))
    assert (get(store, tmp_path) / "files" / "a").read_bytes() == b"x"


def test_a_part_that_the_store_does_not_continue_is_loaded_anew(
    started: Any, tmp_path: Path
) -> None:
    """A 416: the part is as long as the file that is there now, or longer."""

    def changed(store: Store, handler: Any) -> None:
        if len(store.files) == 1:
            handler.reply(200, ARCHIVE[:1000], length=len(ARCHIVE), ETag='"v1"')
        elif "range" in store.asked[-1][1]:
            handler.reply(416)
        else:
            whole(store, handler)

    store = started(changed)
    assert content(get(store, tmp_path)) == CONTENT
    assert ["range" in headers for _, headers in store.files] == [False, True, False]


def test_a_store_that_refuses_is_named(started: Any, tmp_path: Path) -> None:
    store = started(lambda store, handler: handler.reply(400, b"no"))
    with pytest.raises(tinker.TinkerError, match=r"127\.0\.0\.1 returned 400"):
        get(store, tmp_path)
    assert len(store.files) == 1


def test_a_redirect_to_nowhere_is_an_error(started: Any, tmp_path: Path) -> None:
    store = started(whole)
    store.archive = lambda handler: handler.reply(302)
    with pytest.raises(tinker.TinkerError, match="the server redirects without a Location"):
        get(store, tmp_path)


@pytest.mark.parametrize(
    "place", ["file:/srv/checkpoints/final", "s3://bucket/final.tar", "http://[::1/final"]
)
def test_a_place_that_is_not_on_the_web_is_an_error_at_once(
    started: Any, tmp_path: Path, place: str
) -> None:
    """TuFT redirects to a folder of its own machine."""
    store = started(whole)
    store.archive = lambda handler: handler.reply(302, Location=f"{place}?signature")
    with pytest.raises(tinker.TinkerError, match="not an http or https URL") as caught:
        get(store, tmp_path)
    assert repr(place) in str(caught.value)
    assert "signature" not in str(caught.value)
    assert len(store.asked) == 1


@pytest.mark.parametrize("name", ["", "..", "../a", "/etc/passwd", "a/b"])
def test_a_file_is_not_written_outside_its_folder(tmp_path: Path, name: str) -> None:
    urls = {"urls": {name: "http://127.0.0.1:9/file"}, "expires": "2030-01-01T00:00:00Z"}
    with (
        ScriptedServer(external_weights_urls=[(200, urls)]) as server,
        tinker.RestClient(base_url=server.url) as rest,
        pytest.raises(tinker.TinkerError, match="is not a valid file name"),
    ):
        rest.download_checkpoint("tinker://run/external_weights/a", tmp_path).result(timeout=30)
    assert not [file for file in tmp_path.rglob("*") if file.is_file()]
