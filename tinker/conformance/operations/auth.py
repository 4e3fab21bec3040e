"""Tokens and API keys."""

from __future__ import annotations

from tinker.conformance.checks import check
from tinker.conformance.outcomes import NotOffered, expect
from tinker.conformance.subject import Subject
from tinker_api import security


@check("auth_token", "auth")
def auth_token(s: Subject) -> None:
    """Exchanges a credential for a JWT, which replaces it in the header."""
    jwt = s.call("auth_token", {})["jwt"]
    expect(jwt.count(".") == 2, "expected a `jwt` of three parts separated by dots")
    exchange = s.send("get_server_capabilities", headers={security.HEADER: jwt})
    expect(
        exchange.status == 200,
        f"a request with the JWT: expected status 200, found {exchange.status}",
    )


@check("get_api_key", "auth")
def get_api_key(s: Subject) -> None:
    """Facts about the API key of the request and its owner."""
    exchange = s.send("get_api_key")
    s.offered(exchange)
    if exchange.status in (401, 403):
        raise NotOffered(f"{exchange.status}: this credential is not an API key of an account")
    s.fits("get_api_key", "ApiKeyInfo", exchange.json())


@check("revoke_api_key", "auth")
def revoke_api_key(s: Subject) -> None:
    """Revokes exactly the key of the request; an unknown key is refused, and no key is revoked."""
    exchange = s.send("revoke_api_key", headers={security.HEADER: "tml-conformance-no-such-key"})
    s.offered(exchange)
    if 200 <= exchange.status < 300:
        raise NotOffered("the server accepts any key, and revokes none")
    expect(
        exchange.status in (401, 403),
        f"an unknown key: expected status 401 or 403, found {exchange.status}",
    )
    status = s.send("get_server_capabilities").status
    expect(status == 200, f"our own key no longer works: expected status 200, found {status}")
