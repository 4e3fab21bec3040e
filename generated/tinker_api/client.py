"""Clients that send the requests of the operations' modules: `httpx` with a base URL, a credential and a timeout."""

from __future__ import annotations

import ssl
from typing import Any, Self

import httpx
from attrs import define, evolve, field

from . import security

DEFAULT_TIMEOUT = httpx.Timeout(60.0, connect=5.0)


@define(kw_only=True)
class Client:
    """For operations that need no credential.

    Use it in a `with` or `async with` block, or close the `httpx` client that it makes on first use.
    """

    _base_url: str = field(alias="base_url")
    """All requests are relative to it."""
    _cookies: dict[str, str] = field(factory=dict, alias="cookies", repr=False)
    _headers: dict[str, str] = field(factory=dict, alias="headers", repr=False)
    """Sent with every request."""
    _timeout: httpx.Timeout = field(default=DEFAULT_TIMEOUT, alias="timeout")
    """60 s for a response, 5 s to connect; `httpx.TimeoutException` after that."""
    _verify_ssl: str | bool | ssl.SSLContext = field(default=True, alias="verify_ssl")
    _follow_redirects: bool = field(default=False, alias="follow_redirects")
    _httpx_args: dict[str, Any] = field(factory=dict, alias="httpx_args", repr=False)
    """More arguments for `httpx.Client` and `httpx.AsyncClient`."""
    _client: httpx.Client | None = field(default=None, init=False, repr=False)
    _async_client: httpx.AsyncClient | None = field(default=None, init=False, repr=False)

    def with_headers(self, headers: dict[str, str]) -> Self:
        """A client like this one with more headers."""
        return evolve(self, headers={**self._headers, **headers})

    def with_cookies(self, cookies: dict[str, str]) -> Self:
        """A client like this one with more cookies."""
        return evolve(self, cookies={**self._cookies, **cookies})

    def with_timeout(self, timeout: httpx.Timeout) -> Self:
        """A client like this one with another timeout."""
        return evolve(self, timeout=timeout)

    def set_httpx_client(self, client: httpx.Client) -> Self:
        """Send with this `httpx.Client` as it is, with its base URL, headers and timeout."""
        self._client = client
        return self

    def get_httpx_client(self) -> httpx.Client:
        """The `httpx.Client`, made on first use."""
        if self._client is None:
            self._client = httpx.Client(**self._options())
        return self._client

    def set_async_httpx_client(self, async_client: httpx.AsyncClient) -> Self:
        """Send with this `httpx.AsyncClient` as it is, with its base URL, headers and timeout."""
        self._async_client = async_client
        return self

    def get_async_httpx_client(self) -> httpx.AsyncClient:
        """The `httpx.AsyncClient`, made on first use."""
        if self._async_client is None:
            self._async_client = httpx.AsyncClient(**self._options())
        return self._async_client

    def __enter__(self) -> Self:
        self.get_httpx_client().__enter__()
        return self

    def __exit__(self, *args: Any) -> None:
        self.get_httpx_client().__exit__(*args)

    async def __aenter__(self) -> Self:
        await self.get_async_httpx_client().__aenter__()
        return self

    async def __aexit__(self, *args: Any) -> None:
        await self.get_async_httpx_client().__aexit__(*args)

    def _options(self) -> dict[str, Any]:
        return {
            "base_url": self._base_url,
            "cookies": self._cookies,
            "headers": self._headers,
            "timeout": self._timeout,
            "verify": self._verify_ssl,
            "follow_redirects": self._follow_redirects,
            **self._httpx_args,
        }


@define(kw_only=True)
class AuthenticatedClient(Client):
    """For operations that need a credential; it is sent as the contract's security scheme prescribes."""

    token: str = field(repr=False)
    """The credential."""
    prefix: str = security.PREFIX
    """Precedes the credential in the header, followed by a space; empty means no prefix."""
    auth_header_name: str = security.HEADER

    def _options(self) -> dict[str, Any]:
        credential = f"{self.prefix} {self.token}" if self.prefix else self.token
        options = super()._options()
        return {**options, "headers": {**options["headers"], self.auth_header_name: credential}}
