"""Tokens that this server signs: JWTs (HS256) with a secret that stays in its data folder."""

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
    """Not signed by this server, or not a token at all."""


class Expired(Exception):
    """Signed by this server, and no longer valid."""


class Signer:
    """Signs and verifies; the secret is made on first use and survives restarts."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self._secret = _secret(folder / "secret")
        self._clock = clock

    def sign(self, audience: str, seconds: float, **claims: Any) -> str:
        """A token for one purpose, which `verify` of another purpose does not take."""
        now = self._clock()
        payload = {**claims, "aud": audience, "iat": int(now), "exp": int(now + seconds)}
        return jwt.encode(payload, self._secret, algorithm=_ALGORITHM)

    def verify(self, audience: str, token: str) -> dict[str, Any]:
        """The claims of a token.

        Raises:
            Expired: It was valid once.
            Forged: It was never.
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
        # Whole or not at all, and for no other user of the machine.
        partial = file.with_suffix(".partial")
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(secret)
        partial.replace(file)
        return secret
