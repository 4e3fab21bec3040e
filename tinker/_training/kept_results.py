"""The results of calls that a later process may ask for again, in a folder beside the journal: a server may forget a result
that was read."""

from __future__ import annotations

import contextlib
import zlib
from pathlib import Path


class KeptResults:
    """A file for each result, named by its call and by its request's place in the call."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, call: int, place: int, media_type: str, content: bytes) -> int | None:
        """Keep a result as it came. Returns its checksum; None if it cannot be written."""
        kept = media_type.encode() + b"\n" + content
        with contextlib.suppress(OSError):
            self._folder.mkdir(mode=0o700, exist_ok=True)
            self._file(call, place).write_bytes(kept)
            return zlib.crc32(kept)
        return None

    def read(self, call: int, place: int, checksum: int) -> tuple[str, bytes] | None:
        """Media type and content; None if the file is gone, or spoiled by a power cut."""
        try:
            kept = self._file(call, place).read_bytes()
        except FileNotFoundError:
            return None
        if zlib.crc32(kept) != checksum:
            return None
        media_type, _, content = kept.partition(b"\n")
        return media_type.decode(), content

    def delete(self, call: int, place: int) -> None:
        self._file(call, place).unlink(missing_ok=True)

    def delete_all(self) -> None:
        for file in self._folder.glob("*-*"):
            file.unlink()

    def _file(self, call: int, place: int) -> Path:
        return self._folder / f"{call}-{place}"
