"""How bytes reach a server: the transport, the HTTP client, server-sent events, settings and credentials."""

import sys

if "httpx" not in sys.modules:
    # httpx imports its command line, with click, rich and pygments where they are installed: half of its time and
    # memory, for what no program uses. Without them it is as if they were not installed.
    sys.modules["httpx._main"] = None  # type: ignore[assignment]
    try:
        import httpx  # noqa: F401
    finally:
        del sys.modules["httpx._main"]
