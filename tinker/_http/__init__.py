"""The way to a server: transport, HTTP client, server-sent events, settings and credentials."""

import sys

if "httpx" not in sys.modules:
    # Where click, rich and pygments are installed, httpx imports its command line with them: half of its import
    # time
    # and memory, for nothing that a program uses. This import hides them from httpx.
    sys.modules["httpx._main"] = None  # type: ignore[assignment]
    try:
        import httpx  # noqa: F401
    finally:
        del sys.modules["httpx._main"]
