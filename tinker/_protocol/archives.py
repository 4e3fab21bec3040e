"""Reads tar archives, compressed or not, and says in one way what is wrong with them."""

from __future__ import annotations

import contextlib
import lzma
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path

_PIECE = 2**20


@contextlib.contextmanager
def opened(path: Path) -> Iterator[tarfile.TarFile]:
    """An open archive, which is verified to its end when the block ends.

    Raises:
        ValueError: It is damaged, or is not an archive.
        OSError: A file cannot be read or written.
    """
    try:
        with tarfile.open(path) as archive:
            yield archive
            assert archive.fileobj is not None
            while archive.fileobj.read(_PIECE):  # the checksum of a compressed archive comes last
                pass
    except (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError) as error:
        # Its other lines say why it is not an archive of each kind.
        raise ValueError(str(error).partition(":\n")[0]) from None
    except OSError as error:
        if error.errno is not None:
            raise
        raise ValueError(str(error)) from None  # gzip and bz2 raise it for damaged data
