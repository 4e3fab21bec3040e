"""Whose credential this is."""

from __future__ import annotations

from tinker import types
from tinker._http import credentials
from tinker._protocol.progress import Progress
from tinker._protocol.server_traits import REFUSALS_OF_A_FORM
from tinker._protocol.session import Session
from tinker_api import models
from tinker_api.api.auth import auth_token, get_api_key


async def whoami(session: Session) -> types.WhoamiResponse:
    """The owner of the session's credential, from its JWT or from the server."""
    await session.ready()
    token = await session.connection.credential()
    claims = credentials.claims_of(token)
    if not claims:
        response = await session.connection.call(
            auth_token.request(body=models.AuthTokenRequest()),
            Progress("auth_token"),
            passed=REFUSALS_OF_A_FORM,
        )
        if response.status_code < 300:
            exchanged = session.connection.parse(response, Progress("auth_token"))
            claims = credentials.claims_of(exchanged.jwt)
    if claims:
        org, email = claims.get("org_id", ""), claims.get("email")
        urn = f"tml:organization:{org}" if org else ""
        return types.WhoamiResponse(str(claims.get("sub", "")), urn, email)
    info = await session.fetch(get_api_key.request(), Progress("get_api_key"))
    details = info.details
    user = details.user_details.email if details and details.user_details else None
    org_name = details.org_details.name if details and details.org_details else None
    return types.WhoamiResponse(info.name, org_name or "", user)
