"""schemathesis again, in sequences: it walks the contract's links, from a session to models, results and checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import schemathesis
from contract_schema import DEEP, SERVERS, schema, serving
from hypothesis import HealthCheck, settings


@pytest.mark.filterwarnings("ignore:Skipped test cases with unsupported payload:UserWarning")
@pytest.mark.parametrize("which", SERVERS)
def test_sequences_of_operations(which: str, tmp_path: Path) -> None:
    walked: set[str] = set()

    with serving(which, tmp_path) as url:

        class Walk(schema.as_state_machine()):  # type: ignore[misc]  # made at run time
            def get_call_kwargs(self, case: schemathesis.Case) -> dict[str, Any]:
                return {"base_url": url}

            def after_call(self, response: schemathesis.Response, case: schemathesis.Case) -> None:
                if 200 <= response.status_code < 300:
                    walked.add(case.operation.definition.raw["operationId"])

        Walk.run(
            settings=settings(
                max_examples=300 if DEEP else 25,
                stateful_step_count=20 if DEEP else 10,
                derandomize=not DEEP,
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
            )
        )
    # It does get somewhere: promises were made and waited for.
    assert {"create_session", "create_model", "retrieve_future", "get_session"} <= walked
