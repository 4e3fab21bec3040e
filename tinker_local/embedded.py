"""The server behind `base_url="local"`: one for the process, started on first use."""

from __future__ import annotations

import atexit
import os
import threading

from tinker_local.server import LocalServer

_lock = threading.Lock()
_server: LocalServer | None = None
_pid = -1


def _close() -> None:
    """Close this process's server; what a forked process has inherited is the parent's."""
    if _server is not None and _pid == os.getpid():
        _server.close()


def url() -> str:
    """The address of this process's server. Its state is deleted when the process ends."""
    global _server, _pid
    with _lock:
        if _server is None or _pid != os.getpid():
            _server, _pid = LocalServer(), os.getpid()
            atexit.unregister(_close)
            atexit.register(_close)
        return _server.url
