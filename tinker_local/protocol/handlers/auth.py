"""Credentials: API keys, and the JWTs they are exchanged for."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from tinker_local.access.keys import ORGANIZATION, fingerprint
from tinker_local.protocol.backend import Backend, Call
from tinker_local.protocol.handlers.lists import owner_urn


async def auth_token(backend: Backend, call: Call) -> dict[str, Any]:
    claims = {
        "iss": "tinker-local",
        "sub": owner_urn(call.user),
        "user": call.user,
        "org_id": ORGANIZATION,
        "email": f"{call.user}@localhost",
        "key": backend.keys.behind(call.credential),
    }
    return {"jwt": backend.signer.sign("credential", backend.options.jwt_seconds, **claims)}


async def get_api_key(backend: Backend, call: Call) -> dict[str, Any]:
    return {
        "key_id": int(fingerprint(call.credential)[:7], 16),
        "name": call.user,
        "note": "",
        "details": {
            "org_details": {"name": ORGANIZATION},
            "user_details": {"email": f"{call.user}@localhost"},
        },
    }


async def revoke_api_key(backend: Backend, call: Call) -> Response:
    backend.keys.revoke(call.credential)
    return Response(status_code=204)
