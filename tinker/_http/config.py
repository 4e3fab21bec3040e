"""Settings of a client: from arguments, then from the environment, then defaults.

TINKER_BASE_URL     base URL of the server, or `local` for one inside this process
TINKER_API_KEY      `tml-…`, or a JWT (`eyJ…`)
TINKER_CREDENTIAL_CMD  command that prints a key, used if no key is set (see credentials.py)
TINKER_PROJECT_ID   project of new sessions
TINKER_TAGS         tags of new sessions, separated by commas
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from attrs import field, frozen

from tinker import _extras
from tinker._http import credentials
from tinker.errors import TinkerError

DEFAULT_BASE_URL = "https://tinker.thinkingmachines.dev/services/tinker-prod"
LOCAL = "local"
_API_PATH = "/api/v1"
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_LOCAL_API_KEY = "tml-local"


@frozen(kw_only=True)
class Settings:
    base_url: str
    """Without a trailing slash; may have a path."""
    api_key: str = field(repr=False)

    @property
    def has_own_key(self) -> bool:
        """Whether a key was found; a server on this machine may do without one."""
        return self.api_key != _LOCAL_API_KEY

    @property
    def is_loopback(self) -> bool:
        return _is_loopback(self.base_url)


def resolve(base_url: str | None, api_key: str | None) -> Settings:
    """Find the settings to use.

    Raises:
        ValueError: The URL or the key is invalid.
        TinkerError: No key was found, and the server is not on this machine.
    """
    url = (base_url or os.environ.get("TINKER_BASE_URL") or DEFAULT_BASE_URL).rstrip("/")
    url = url.removesuffix(_API_PATH)  # every route has this prefix
    if url == LOCAL:
        url = _start_local_server()
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(
            f"base_url is {url!r}; it must be an http:// or https:// address, or 'local'. "
            "It comes from the argument or TINKER_BASE_URL."
        )
    if parts.username or parts.password:
        raise ValueError("base_url must not contain a user or password; use api_key instead.")
    if parts.query or parts.fragment:  # not shown: it may be secret
        raise ValueError(
            "base_url must not contain a query or a fragment, which begin with '?' and '#'; paths are appended to it."
        )
    key = credentials.find(api_key)
    if key is None:
        if not _is_loopback(url):
            raise TinkerError(
                f"No API key for {url}: set TINKER_API_KEY or pass api_key. "
                "(TINKER_BASE_URL=local runs everything on this machine, without a key.)"
            )
        key = _LOCAL_API_KEY
    return Settings(base_url=url, api_key=key)


def check_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Check that headers can be sent, and return them.

    Raises:
        TypeError: A value is not a string.
        ValueError: A name or a value has a character that HTTP does not allow. Messages do not contain values, which may be secret.
    """
    for name, value in headers.items():
        if not isinstance(value, str):
            raise TypeError(
                f"The header {name!r} is of type {type(value).__name__}; it must be a string."
            )
        if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
            raise ValueError(
                f"{name!r} is not a header name; it must consist of letters, digits and '-'."
            )
        for place, character in enumerate(value):
            if ord(character) > 255 or (
                not character.isprintable() and character not in "\t\xa0\xad"
            ):
                raise ValueError(
                    f"The header {name!r} has {character!r} at position {place}; it must consist of Latin-1 "
                    "characters without line breaks."
                )
    return dict(headers)


def tags() -> list[str]:
    return [tag for tag in os.environ.get("TINKER_TAGS", "").split(",") if tag]


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _start_local_server() -> str:
    try:
        from tinker_local import embedded  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise TinkerError(
            f"The embedded server needs the package {error.name}: {_extras.install('local')}"
        ) from None
    return embedded.url()
