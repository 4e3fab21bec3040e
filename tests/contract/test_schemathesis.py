"""schemathesis, over a socket: examples, boundary values and random requests to every operation.

No answer with a 5xx, none off the contract, and no request accepted that the contract forbids.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import schemathesis

from tests.support.contract_schema import DEEP, SERVERS, schema, serving, unnamed_fields


@pytest.fixture(scope="module", params=SERVERS if DEEP else ["with keys"])
def base_url(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    with serving(request.param, tmp_path_factory.mktemp("server")) as url:
        yield url


def test_a_field_under_its_old_name_is_found() -> None:
    model = {"model_name": "tiny", "max_context_length": 256}
    for name in ("max_context_length", "longest_context"):
        body = {"supported_models": [{**model, name: 256}]}
        response = SimpleNamespace(
            status_code=200,
            headers={"content-type": "application/json"},
            json=lambda body=body: body,
        )
        found = unnamed_fields("get_server_capabilities", response)  # type: ignore[arg-type]
        assert bool(found) == (name not in model)


# Bodies in protobuf, which it cannot make, are fuzzed in test_protobuf_bodies.py.
@pytest.mark.long
@pytest.mark.filterwarnings("ignore:Skipped test cases with unsupported payload:UserWarning")
@schema.parametrize()
def test_every_operation(case: schemathesis.Case[Any], base_url: str) -> None:
    if (case.method, case.path) == ("DELETE", "/api/v1/auth/apikey/me"):
        # A revoked key is refused from then on: each is revoked once, where any will do.
        response = case.call(base_url=base_url, headers={"X-API-Key": f"tml-{uuid.uuid4()}"})
        assert response.status_code in (204, 401, 405)
        return
    response = case.call_and_validate(base_url=base_url)
    if 200 <= response.status_code < 300:
        assert unnamed_fields(case.operation.definition.raw["operationId"], response) == []
