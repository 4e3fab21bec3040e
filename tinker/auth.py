"""Credentials: whether one is configured, and whether the service accepts it."""

from __future__ import annotations

import os
from typing import Protocol

from attrs import field, frozen

from tinker._http import credentials
from tinker.errors import TinkerError

__all__ = [
    "ApiKeyAuthProvider",
    "get_tinker_token",
    "raise_if_tinker_not_accessible",
    "resolve_auth_provider",
    "tinker_has_credentials",
]


class AuthTokenProvider(Protocol):
    async def get_token(self) -> str:
        """The credential for the next request."""
        ...


@frozen
class ApiKeyAuthProvider:
    """A credential that stays the same."""

    api_key: str = field(repr=False)

    async def get_token(self) -> str:
        return self.api_key


@frozen
class _CommandAuthProvider:
    """The output of TINKER_CREDENTIAL_CMD, which runs each time."""

    async def get_token(self) -> str:
        return credentials.from_command()


def resolve_auth_provider(api_key: str | None, enforce_cmd: bool) -> AuthTokenProvider:
    """Find the source of the credential; with `enforce_cmd`, TINKER_CREDENTIAL_CMD comes first.

    Raises:
        ValueError: The configured value is not a credential.
        TinkerError: No credential was found.
    """
    by_hand = api_key or os.environ.get("TINKER_API_KEY")
    if credentials.command() and (enforce_cmd or not by_hand):
        return _CommandAuthProvider()
    key = None if enforce_cmd else credentials.find(api_key)
    if key is None:
        raise TinkerError(
            "No credential: set TINKER_API_KEY or TINKER_CREDENTIAL_CMD, or pass api_key."
        )
    return ApiKeyAuthProvider(key)


def get_tinker_token() -> str | None:
    """The configured credential, or None. TINKER_CREDENTIAL_CMD is not run."""
    try:
        from_environment = os.environ.get("TINKER_API_KEY")
        return (
            credentials.check_shape(from_environment, "")
            if from_environment
            else credentials.stored()
        )
    except ValueError:
        return None


def tinker_has_credentials() -> bool:
    """Whether a credential is configured. TINKER_CREDENTIAL_CMD counts as one and is not run."""
    return bool(credentials.command()) or get_tinker_token() is not None


def raise_if_tinker_not_accessible() -> None:
    """Send one request, and return if the server accepts the configured credential.

    Raises:
        TinkerError: No credential is configured.
        AuthenticationError: The server rejects it.
        BillingError: The account is not set up.
        APIConnectionError: The server does not respond.
    """
    from tinker.rest import RestClient  # noqa: PLC0415  # imported lazily: slow

    with RestClient() as client:
        client._check_accessible()
