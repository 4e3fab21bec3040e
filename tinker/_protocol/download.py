"""Downloading the files of a checkpoint.

The bytes go to a partial file, which a later call continues if the server confirms that the file is unchanged. Only
complete files, of the right size and (where the server gives one) the right checksum, become a checkpoint's folder; it
appears in one step, by a rename.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import json
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypedDict
from urllib.parse import urlsplit

import httpx
from attrs import define, frozen

from tinker._protocol import archives, loop, progress_line, retry
from tinker._protocol.progress import Progress
from tinker._protocol.progress_line import ProgressCallback
from tinker._protocol.session import Session
from tinker.errors import TinkerError
from tinker.retry_policy import RetryPolicy
from tinker_api.api.checkpoints import get_checkpoint_archive, get_external_weights_urls
from tinker_api.models import CheckpointKind

_TIMEOUT = httpx.Timeout(60.0, connect=10.0)
_MAX_RENEWALS = 20
_ARCHIVE_POLICY = RetryPolicy(budget=900.0, longest_pause=30.0)
"""The server returns 503 while it builds the archive of a large checkpoint."""


class CheckpointRoute(TypedDict):
    """Split a tinker path into the parameters of a route."""

    training_run_id: str
    kind: CheckpointKind
    name: str


@frozen
class _Location:
    """Where to download a file from."""

    url: str


async def download(
    session: Session,
    parts: CheckpointRoute,
    tinker_path: str,
    output_dir: Path,
    *,
    overwrite: bool,
    progress: Progress,
    told: ProgressCallback | bool | None,
) -> Path:
    """See `RestClient.download_checkpoint`."""
    name = "_".join(
        re.sub(r"[^\w.-]", "-", part)
        for part in (parts["training_run_id"], parts["kind"], parts["name"])
    )
    target = output_dir / name
    if target.exists() and not overwrite:
        raise FileExistsError(
            f"{target} already exists: pass overwrite=True, or another output_dir."
        )
    work = output_dir / f".{name}.partial"
    work.mkdir(parents=True, exist_ok=True)
    with progress_line.of_bytes(told, tinker_path) as callback, session.watched(progress):
        await session.ready()
        files = work / "files"
        shutil.rmtree(files, ignore_errors=True)
        files.mkdir()
        if parts["kind"] == "external_weights":
            await _external(session, parts, work, files, progress, callback)
        else:
            archive = work / "archive.tar"
            await _Download(session, archive, progress, callback).run(
                lambda: _archive(session, parts, progress)
            )
            await loop.in_thread(_extract, archive, files, tinker_path)
        if target.exists():
            shutil.rmtree(target)
        files.replace(target)
    shutil.rmtree(work)
    return target


async def _archive(session: Session, parts: CheckpointRoute, progress: Progress) -> _Location:
    """The URL of the archive: servers redirect to it or return it."""
    response = await session.connection.call(
        get_checkpoint_archive.request(**parts),
        progress,
        policy=_ARCHIVE_POLICY,
        passed=(301, 302, 303, 307, 308),
    )
    if response.status_code < 300:
        return _Location(session.connection.parse(response, progress).url)
    location = response.headers.get("location")
    if not location:
        raise TinkerError(f"{progress.name()}: the server redirects without a Location.")
    try:
        return _Location(str(response.raw.url.join(location)))
    except httpx.InvalidURL:
        return _Location(location)  # rejected where it is used


async def _external(
    session: Session,
    parts: CheckpointRoute,
    work: Path,
    files: Path,
    progress: Progress,
    callback: ProgressCallback | None,
) -> None:
    """The URL of each file."""

    async def ask() -> Mapping[str, str]:
        response = await session.connection.fetch(
            get_external_weights_urls.request(**parts), progress
        )
        return response.urls

    for index, name in enumerate(sorted(await ask())):
        if Path(name).name != name or name in ("", ".."):
            raise TinkerError(f"{progress.name()}: {name!r} is not a valid file name.")

        async def place(name: str = name) -> _Location:
            return _Location((await ask())[name])

        partial = work / f"file-{index}"
        await _Download(session, partial, progress, callback).run(place)
        partial.replace(files / name)


@define
class _Download:
    """Download of one file to `path`."""

    session: Session
    path: Path
    progress: Progress
    callback: ProgressCallback | None

    async def run(self, locate: Callable[[], Any]) -> None:
        """Download the whole file, through broken connections and expired URLs."""
        attempts = retry.Attempts(retry.DEFAULT)
        for _ in range(_MAX_RENEWALS):
            place = await locate()
            had = self._size()
            try:
                if await self._get(place.url):
                    return
                reason = "the URL has expired"
            except (httpx.UnsupportedProtocol, httpx.InvalidURL):
                where = place.url.partition("?")[0]  # a signature is a credential
                raise TinkerError(
                    f"{self.progress.name()} failed: the server returned {where!r} as the place of the file, which is "
                    "not an http or https URL. Nothing was downloaded."
                ) from None
            except httpx.RequestError as error:
                reason = str(error).rstrip(".") or type(error).__name__
            if self._size() > had:
                attempts = retry.Attempts(retry.DEFAULT)  # it makes progress
            attempts.made += 1
            pause = attempts.pause(None, None)
            if pause is None:
                break
            self.progress.doing = f"waiting {pause:.1f} s to continue ({reason})"
            await asyncio.sleep(pause)
        raise TinkerError(
            f"{self.progress.name()} failed: {reason}. {self._size()} bytes are in {self.path}; "
            "repeat the call to continue."
        )

    def _size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def _notes(self) -> Path:
        return self.path.with_name(f"{self.path.name}.json")

    async def _get(self, url: str) -> bool:
        """Download the missing bytes; False if the URL no longer works."""
        notes = self._read_notes()
        begin = self._size() if notes.get("etag") else 0
        headers = {"Accept-Encoding": "identity"}
        if begin:
            headers |= {"Range": f"bytes={begin}-", "If-Range": notes["etag"]}
        # A separate client: the credential must not be sent to a signed URL.
        options: dict[str, Any] = {"timeout": _TIMEOUT, "follow_redirects": True}
        options["trust_env"] = not self.session.settings.is_loopback
        async with (
            httpx.AsyncClient(**options) as client,
            client.stream("GET", url, headers=headers) as response,
        ):
            if response.status_code in (401, 403, 404, 410):
                return False
            if response.status_code == 416:  # it was already complete, or it has changed
                self.path.unlink()
                raise httpx.ReadError("the file has changed", request=response.request)
            if response.status_code in (408, 425, 429) or response.status_code >= 500:
                raise httpx.ReadError(f"status {response.status_code}", request=response.request)
            if response.status_code not in (200, 206):
                host = urlsplit(url).hostname
                raise TinkerError(
                    f"{self.progress.name()}: {host} returned {response.status_code}."
                )
            if response.status_code == 200:
                begin = 0
            length = response.headers.get("content-length")
            total = begin + int(length) if length is not None else None
            self._notes.write_text(json.dumps({"etag": response.headers.get("etag")}))
            await self._receive(response, begin, total)
            await loop.in_thread(self._verify, response.headers, total)
        return True

    async def _receive(self, response: httpx.Response, begin: int, total: int | None) -> None:
        there = begin
        with self.path.open("r+b" if begin else "wb") as file:
            file.seek(begin)
            async for piece in response.aiter_bytes():
                file.write(piece)
                there += len(piece)
                self.progress.doing = f"{there} of {total or 'unknown'} bytes"
                if self.callback is not None:
                    self.callback(there, total)
            file.truncate()

    def _verify(self, headers: httpx.Headers, total: int | None) -> None:
        if total is not None and self._size() != total:
            raise httpx.ReadError(f"{self._size()} of {total} bytes arrived")
        for algorithm, wanted in checksums(headers):
            with self.path.open("rb") as file:
                found = hashlib.file_digest(file, algorithm).digest()
            if found != wanted:
                self.path.unlink()
                raise TinkerError(
                    f"{self.progress.name()}: the {algorithm} of the download differs from the "
                    "server's; it is deleted. Try again."
                )
        self._notes.unlink()

    def _read_notes(self) -> dict[str, Any]:
        try:
            notes = json.loads(self._notes.read_text())
        except (OSError, ValueError):
            return {}
        return notes if isinstance(notes, dict) else {}


_DIGESTS = {
    "sha-256": "sha256", "sha-512": "sha512", "sha256": "sha256", "md5": "md5", "sha": "sha1",
}  # fmt: skip


def checksums(headers: Mapping[str, str]) -> list[tuple[str, bytes]]:
    """The checksums of the whole file in the headers, by algorithm: RFC 9530, its predecessor, and those of two object stores."""
    found = []
    for name in ("repr-digest", "digest", "x-goog-hash"):
        for part in headers.get(name, "").split(","):
            algorithm, _, value = part.strip().partition("=")
            if algorithm.lower() in _DIGESTS:
                found.append((_DIGESTS[algorithm.lower()], value.strip(":")))
    if "x-amz-checksum-sha256" in headers:
        found.append(("sha256", headers["x-amz-checksum-sha256"]))
    decoded = []
    for algorithm, value in found:
        try:
            decoded.append((algorithm, base64.b64decode(value, validate=True)))
        except (binascii.Error, ValueError):
            continue
    return decoded


def _extract(archive: Path, files: Path, tinker_path: str) -> None:
    """Unpack plain files, and reject anything that leads out of the folder."""
    try:
        with archives.opened(archive) as tar:
            for member in tar:
                if member.isdir():
                    continue
                if not member.isreg():
                    raise TinkerError(
                        f"The archive of {tinker_path} has {member.name!r}, which is not a plain file. "
                        "Nothing is kept."
                    )
                tar.extract(member, files, filter="data")
    except ValueError as error:
        archive.unlink()
        raise TinkerError(f"The archive of {tinker_path} cannot be unpacked: {error}") from None
