"""Tokens that this server signs: JWTs (HS256) with a secret that never leaves its data folder."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt

_ALGORITHM = "HS256"


class Forged(Exception):
    """The token is malformed, or was not signed by this server."""


class Expired(Exception):
    """The token was signed by this server, but has expired."""


class Signer:
    """Signs and verifies tokens; the secret is created on first use and survives restarts."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self._secret = _secret(folder / "secret")
        self._clock = clock

    def sign(self, audience: str, seconds: float, **claims: Any) -> str:
        """Sign a token for one purpose; `verify` rejects it for any other."""
        now = self._clock()
        payload = {**claims, "aud": audience, "iat": int(now), "exp": int(now + seconds)}
        return jwt.encode(payload, self._secret, algorithm=_ALGORITHM)

    def verify(self, audience: str, token: str) -> dict[str, Any]:
        """The claims of a token.

        Raises:
            Expired: It is no longer valid.
            Forged: It was never valid.
        """
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self._secret,
                algorithms=[_ALGORITHM],
                audience=audience,
                options={"require": ["exp"], "verify_exp": False, "verify_iat": False},
            )
        except jwt.InvalidTokenError:
            raise Forged from None
        if claims["exp"] <= self._clock():  # by this server's clock
            raise Expired
        return claims


def _secret(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        secret = secrets.token_bytes(32)
        # Atomically, and readable by this user only.
        partial = file.with_suffix(".partial")
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(secret)
        partial.replace(file)
        return secret
