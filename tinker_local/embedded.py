"""The server behind `base_url="local"`: one for the process, started on first use."""

from __future__ import annotations

import atexit
import os
import sys
import threading

from tinker_local.engine.select import select
from tinker_local.server import LocalServer
from tinker_local.state.folder import DataFolderError, DataFolderInUse

_lock = threading.Lock()
_server: LocalServer | None = None
_pid = -1


def _close() -> None:
    """Close this process's server; a forked process leaves the parent's alone."""
    if _server is not None and _pid == os.getpid():
        _server.close()


def url() -> str:
    """The address of this process's server.

    TINKER_LOCAL_MODELS lists the models it offers, each as `[NAME=]PATH`, separated by commas; the default is the small
    model. TINKER_LOCAL_DATA is the folder of its state; without, the state is deleted when the process ends.

    Raises:
        ModelError: One of the models cannot be offered.
        DataFolderError: The folder is in use, or cannot be used.
    """
    global _server, _pid
    with _lock:
        if _server is None or _pid != os.getpid():
            models = os.environ.get("TINKER_LOCAL_MODELS", "").split(",")
            engine, summaries = select([model.strip() for model in models if model.strip()])
            for line in summaries:
                print(line, file=sys.stderr)
            data = os.environ.get("TINKER_LOCAL_DATA") or None
            try:
                _server, _pid = LocalServer(data, engine=engine), os.getpid()
            except DataFolderInUse as error:
                raise DataFolderError(
                    f'{error}. With base_url="local" every process has a server of its own; to share one, run '
                    "`tinker serve` and set TINKER_BASE_URL to the address it prints."
                ) from None
            atexit.unregister(_close)
            atexit.register(_close)
        return _server.url
