"""What the protocol asks of a client: the connection, sessions, retries, polling and back-pressure."""

from tinker import _http as _http  # before any module here imports httpx
