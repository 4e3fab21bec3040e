"""Which pages may talk to the server: the Host and the Origin of a request, checked.

A page of another site can make a browser on this machine send requests here: from its own origin, or, by a name that
it has resolve to this machine (DNS rebinding), under a Host that is not this server's.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

from tinker_local.errors import Refusal

ANY = "*"


class Hosts:
    """The names under which the server answers: those of this machine's loopback, the address that the request came
    to, and the ones that are allowed."""

    def __init__(self, allowed: Collection[str] = ()) -> None:
        self._allowed = {name.lower().strip("[]") for name in allowed}

    def check(self, headers: Mapping[str, str], address: str | None) -> None:
        """Refuse with 403 a request for another host, or from another site's page."""
        host = headers.get("host")
        if host is not None and not self._is_own(_name(f"//{host}"), address):
            raise Refusal(403, f"The Host {host[:200]!r} is not allowed; {_HINT}")
        origin = headers.get("origin")
        if origin is not None and not self._is_own(_name(origin), address):
            raise Refusal(403, f"The Origin {origin[:200]!r} is not allowed; {_HINT}")

    def base_url(self, headers: Mapping[str, str], scheme: str, address: tuple[str, int]) -> str:
        """Where the client reaches the server: under a name that was allowed, else by the server's own address."""
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
    """An IPv4 address that came to an IPv6 socket, as IPv4."""
    return address.removeprefix("::ffff:") if "." in address else address


def bracketed(host: str) -> str:
    """The host as URLs have it: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host
