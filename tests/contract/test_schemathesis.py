"""schemathesis, over a socket: examples, boundary values and random requests to every operation.

No answer with a 5xx, none off the contract, and no request accepted that the contract forbids.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis

from tests.support.contract_schema import SERVERS, schema, serving


@pytest.fixture(scope="module", params=SERVERS)
def base_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    with serving(request.param, tmp_path_factory.mktemp("server")) as url:
        yield url


# Bodies in protobuf, which it cannot make, are fuzzed in test_protobuf_bodies.py.
@pytest.mark.filterwarnings("ignore:Skipped test cases with unsupported payload:UserWarning")
@schema.parametrize()
def test_every_operation(case: schemathesis.Case[Any], base_url: str) -> None:
    if (case.method, case.path) == ("DELETE", "/api/v1/auth/apikey/me"):
        # A revoked key is refused from then on: each is revoked once, where any will do.
        response = case.call(base_url=base_url, headers={"X-API-Key": f"tml-{uuid.uuid4()}"})
        assert response.status_code in (204, 401, 405)
        return
    case.call_and_validate(base_url=base_url)
