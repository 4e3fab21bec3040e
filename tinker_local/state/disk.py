"""Recognizes failures to write, such as on a full disk."""

from __future__ import annotations

import contextlib
import errno
import sqlite3
from collections.abc import Iterator

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS}
_SQLITE_ERRORS = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY}


def reason(error: BaseException) -> str | None:
    """Why nothing can be written; None if the error is of another kind."""
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", None)
        if code is not None and code & 0xFF in _SQLITE_ERRORS:
            return f"the server cannot write to its data folder: {error}"
    if isinstance(error, OSError) and error.errno in _FULL:
        return f"the server cannot write to its data folder: {error.strerror}"
    return None


@contextlib.contextmanager
def unless_full() -> Iterator[None]:
    """Ignore failures of the block to write."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        if reason(error) is None:
            raise
