"""Credentials: where they come from, and the JWT that some servers exchange them for.

The first of these is used: the `api_key` argument, TINKER_API_KEY, the output of TINKER_CREDENTIAL_CMD, and the key
that `tinker auth login` has stored in ~/.tinker/credentials.json. If the server's client config says so, the command
comes before the key.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import os
import random
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from attrs import define, field, frozen

from tinker.errors import TinkerError

COMMAND_VARIABLE = "TINKER_CREDENTIAL_CMD"
_COMMAND_SECONDS = 60.0
_RETRY_SECONDS = 60.0
_MIN_LEFT = 60.0
"""A token that expires in fewer seconds is exchanged for a new one before it is used."""

_CREDENTIAL = re.compile(
    "auth|cookie|credential|key|password|secret|signature|token|cf-access", re.IGNORECASE
)


def without_credentials(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that may leave the process."""
    return {name: value for name, value in headers.items() if not _CREDENTIAL.search(name)}


def check_shape(key: str, where: str) -> str:
    """Check a credential, and return it without surrounding white space.

    Raises:
        ValueError: It is not a credential, or it is an expired JWT. The message does not contain it.
    """
    key = key.strip()
    if not key.startswith(("tml-", "eyJ")) or not key.isascii() or not key.isprintable():
        raise ValueError(f"{where} must begin with 'tml-' (an API key) or 'eyJ' (a JWT).")
    expires = claims_of(key).get("exp")
    if isinstance(expires, int | float) and expires < time.time():
        ago = time.time() - expires
        raise ValueError(f"{where} is a JWT that expired {ago:.0f} s ago; get a new one.")
    return key


def find(api_key: str | None) -> str | None:
    """The credential to use; None if none is configured.

    Raises:
        ValueError: The configured value is not a credential.
        TinkerError: TINKER_CREDENTIAL_CMD failed.
    """
    if api_key:
        return check_shape(api_key, "api_key")
    if from_environment := os.environ.get("TINKER_API_KEY"):
        return check_shape(from_environment, "TINKER_API_KEY")
    if command():
        return from_command()
    return stored()


def command() -> str:
    return os.environ.get(COMMAND_VARIABLE, "").strip()


def from_command() -> str:
    """Run the credential command, and return the credential that it prints."""
    import subprocess  # noqa: PLC0415  # few need it

    try:
        done = subprocess.run(  # noqa: S602  # a shell command is what the variable holds
            command(),
            shell=True,
            capture_output=True,
            text=True,
            timeout=_COMMAND_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise TinkerError(
            f"{COMMAND_VARIABLE} did not end within {_COMMAND_SECONDS:.0f} s."
        ) from None
    if done.returncode != 0:
        # The message leaves out its output, which may be a part of a credential.
        raise TinkerError(
            f"{COMMAND_VARIABLE} ended with status {done.returncode}; run it to see why."
        )
    return check_shape(done.stdout, f"The output of {COMMAND_VARIABLE}")


def credentials_file() -> Path:
    return Path.home() / ".tinker" / "credentials.json"


def stored() -> str | None:
    """The default key of the credentials file, or None."""
    try:
        content = json.loads(credentials_file().read_text(encoding="utf-8"))
        key = content["keys"][content["default"]]["key"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return (
        check_shape(key, f"The default key in {credentials_file()}")
        if isinstance(key, str)
        else None
    )


def claims_of(token: str) -> dict[str, Any]:
    """The claims of a JWT, not verified; empty if it is not a JWT."""
    parts = token.split(".")
    if len(parts) != 3 or not token.startswith("eyJ"):
        return {}
    try:
        padded = parts[1] + "=" * (-len(parts[1]) % 4)
        claims = json.loads(base64.urlsafe_b64decode(padded))
    except (ValueError, binascii.Error):
        return {}
    return claims if isinstance(claims, dict) else {}


@frozen
class _Token:
    text: str = field(repr=False)
    expires: float | None
    refresh_at: float

    @classmethod
    def of(cls, text: str) -> _Token:
        claims = claims_of(text)
        expires, issued = claims.get("exp"), claims.get("iat")
        now = time.time()
        if not isinstance(expires, int | float):
            return cls(text, None, now + _RETRY_SECONDS)
        if not isinstance(issued, int | float):
            return cls(text, expires, now + _RETRY_SECONDS)
        # At a random time, so that not all clients ask at once, and long before the token expires.
        return cls(text, expires, issued + (expires - issued) * random.uniform(0.45, 0.55))  # noqa: S311


@define
class Exchange:
    """The JWT of one connection, renewed before it expires. Used only on the library's event loop."""

    ask: Callable[[], Awaitable[str]]
    """Exchanges the credential."""
    _token: _Token | None = None
    _lock: asyncio.Lock = field(factory=asyncio.Lock)
    _tries_again_at: float = 0.0

    async def token(self) -> str:
        """Return a token that will not expire soon."""
        token = self._token
        now = time.time()
        if token is not None and now < token.refresh_at:
            return token.text
        works = token is not None and (token.expires is None or now < token.expires - _MIN_LEFT)
        if works and (self._lock.locked() or now < self._tries_again_at):
            assert token is not None
            return token.text
        async with self._lock:
            if self._token is not token and self._token is not None:
                return self._token.text  # another task has just renewed it
            try:
                self._token = _Token.of(await self.ask())
            except TinkerError:
                if not works or token is None:
                    raise
                self._tries_again_at = time.time() + _RETRY_SECONDS
                return token.text
            return self._token.text

    def forget(self, text: str) -> None:
        """Drop a token that the server no longer accepts."""
        if self._token is not None and self._token.text == text:
            self._token = None
