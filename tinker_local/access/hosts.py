"""Checks the Host and the Origin of a request, so that pages of other sites cannot use the server.

A page of another site can make a browser on this machine send requests here: from its own origin, or under a foreign
Host, by a name that resolves to this machine (DNS rebinding).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

from tinker_local.errors import Refusal

ANY = "*"


class Hosts:
    """The host names that the server accepts: those of the loopback interface, the address that received the request, and the
    allowed names."""

    def __init__(self, allowed: Collection[str] = ()) -> None:
        self._allowed = {name.lower().strip("[]") for name in allowed}

    def check(self, headers: Mapping[str, str], address: str | None) -> None:
        """Reject with 403 a request for another host, or from another site's page."""
        host = headers.get("host")
        if host is not None and not self._is_own(_name(f"//{host}"), address):
            raise Refusal(403, f"The Host {host[:200]!r} is not allowed; {_HINT}")
        origin = headers.get("origin")
        if origin is not None and not self._is_own(_name(origin), address):
            raise Refusal(403, f"The Origin {origin[:200]!r} is not allowed; {_HINT}")

    def base_url(self, headers: Mapping[str, str], scheme: str, address: tuple[str, int]) -> str:
        """The base URL by which the client reaches the server: an allowed name, else the server's own address."""
        host = headers.get("host", "")
        if (_name(f"//{host}") or "") in self._allowed:
            return f"{scheme}://{host}"
        return f"{scheme}://{bracketed(_plain(address[0]))}:{address[1]}"

    def _is_own(self, name: str | None, address: str | None) -> bool:
        if name is None:
            return False
        if name in self._allowed or ANY in self._allowed:
            return True
        if address is not None and name == _plain(address):
            return True
        return name == "localhost" or name.endswith(".localhost") or _is_loopback(name)


_HINT = "start the server with --allow-host NAME to allow it"


def _name(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _plain(address: str) -> str:
    """An IPv4 address that an IPv6 socket reports, as IPv4."""
    return address.removeprefix("::ffff:") if "." in address else address


def bracketed(host: str) -> str:
    """The host as in a URL: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host
