"""The client's side of the protocol: connection, sessions, retries, polling and back-pressure."""

from tinker import _http as _http  # before any module here imports httpx
