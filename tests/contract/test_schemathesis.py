"""schemathesis, over a socket: examples, boundary values and random requests to every operation.

No answer with a 5xx, none off the contract, and no request accepted that the contract forbids.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
import schemathesis
from schemathesis.config import SchemathesisConfig

from tinker_local import LocalServer
from tinker_local.contract import document
from tinker_local.options import Options

KEY = "tml-schemathesis"

CONFIG = SchemathesisConfig.from_dict(
    {
        "headers": {"X-API-Key": KEY},
        # Servers ignore what they do not know, in a query as in a body.
        "generation": {
            "deterministic": True,
            "max-examples": 40,
            "allow-extra-parameters": False,
        },
        # Its sanitization hides `tokens` and `session_id`, without which a failure cannot be repeated.
        "output": {"sanitization": {"enabled": False}},
        "checks": {
            # What a schema cannot say is refused with these: an unknown model or session, a name that is
            # taken, a route's second form.
            "positive_data_acceptance": {
                "expected-statuses": ["2xx", "400", "403", "404", "409", "410"]
            },
        },
    }
)


def contract() -> dict[str, object]:
    """The contract without `discriminator`, which schemathesis cannot negate; the tags say the same."""

    def without(value: object) -> object:
        if isinstance(value, dict):
            return {k: without(v) for k, v in value.items() if k != "discriminator"}
        return [without(item) for item in value] if isinstance(value, list) else value

    stripped = without(document())
    assert isinstance(stripped, dict)
    return stripped


schema = schemathesis.openapi.from_dict(contract(), config=CONFIG)


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    # Promises that are made of random requests may wait for others that never come: do not hold polls long.
    with LocalServer(options=Options(poll_seconds=0.05, gap_seconds=1.0)) as server:
        yield server.url


# Bodies in protobuf, which it cannot make, are fuzzed in test_protobuf_bodies.py.
@pytest.mark.filterwarnings("ignore:Skipped test cases with unsupported payload:UserWarning")
@schema.parametrize()
def test_every_operation(case: schemathesis.Case, base_url: str) -> None:
    # A revoked key is refused from then on: each is revoked once.
    revokes = (case.method, case.path) == ("DELETE", "/api/v1/auth/apikey/me")
    headers = {"X-API-Key": f"tml-{uuid.uuid4()}"} if revokes else None
    case.call_and_validate(base_url=base_url, headers=headers)
