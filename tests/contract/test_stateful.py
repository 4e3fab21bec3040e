"""schemathesis again, in sequences: it walks the contract's links, from a session to models, results and checkpoints."""

from __future__ import annotations

import contextlib
import copy
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis.errors import FlakyStrategyDefinition

from tests.support.contract_schema import CONFIG, DEEP, SERVERS, contract, serving, unnamed_fields

WALKS = 20 if DEEP else 4


def walkable() -> dict[str, Any]:
    """The contract without `project_id`: no operation makes projects, and schemathesis would not begin with a
    session that might need one."""
    document: dict[str, Any] = copy.deepcopy(contract())
    del document["components"]["schemas"]["CreateSessionRequest"]["properties"]["project_id"]
    return document


schema = schemathesis.openapi.from_dict(walkable(), config=CONFIG)


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:Skipped test cases with unsupported payload:UserWarning")
@pytest.mark.parametrize("which", SERVERS)
def test_sequences_of_operations(which: str, tmp_path: Path) -> None:
    walked: set[str] = set()

    with serving(which, tmp_path) as url:

        class Walk(schema.as_state_machine()):  # type: ignore[misc]  # made at run time
            def get_call_kwargs(self, case: schemathesis.Case[Any]) -> dict[str, Any]:
                return {"base_url": url}

            def after_call(
                self, response: schemathesis.Response, case: schemathesis.Case[Any]
            ) -> None:
                if 200 <= response.status_code < 300:
                    operation = case.operation.definition.raw["operationId"]
                    walked.add(operation)
                    assert unnamed_fields(operation, response) == []

        for seed in range(WALKS):
            Walk._hypothesis_internal_use_seed = seed
            # Ids differ from walk to walk. When a choice that is repeated means another thing therefore, hypothesis
            # gives up on its run; what a server does wrong is another error.
            with contextlib.suppress(FlakyStrategyDefinition):
                Walk.run(
                    settings=settings(
                        max_examples=100 if DEEP else 10,
                        stateful_step_count=25 if DEEP else 12,
                        phases=[Phase.generate],
                        deadline=None,
                        database=None,
                        suppress_health_check=list(HealthCheck),
                    )
                )
    # It does get somewhere: promises were made and waited for.
    assert {"create_session", "create_model", "retrieve_future", "get_session"} <= walked
