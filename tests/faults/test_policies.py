"""A user's `RetryPolicy`, as the server sees it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tinker
import tinker_contract
from tests.support.scripted_server import Answer, ScriptedServer
from tinker._protocol import outcome

RESULT: Answer = (200, {"type": "optim_step", "metrics": {"a": 1.0}})
PENDING: Answer = (200, {"type": "try_again", "request_id": "r", "queue_state": "active"})
BUSY: Answer = (503, {"detail": "busy"})
QUICK: dict[str, Any] = {"first_pause": 0.01, "longest_pause": 0.01, "retries_per_second": 1e6}


def training(server: ScriptedServer, **policy: Any) -> tinker.TrainingClient:
    service = tinker.ServiceClient(base_url=server.url, retry=tinker.RetryPolicy(**policy))
    return service.create_lora_training_client("m").result(timeout=10)


@pytest.mark.parametrize("attempts", [1, 3])
def test_a_submission_is_sent_no_more_often_than_allowed(attempts: int) -> None:
    with ScriptedServer(optim_step=[BUSY]) as server:
        client = training(server, attempts=attempts, **QUICK)
        with pytest.raises(tinker.InternalServerError, match="503: busy"):
            client.optim_step().result(timeout=10)
        assert len(server.seen["optim_step"]) == attempts


def test_no_budget_means_no_retry() -> None:
    with ScriptedServer(optim_step=[BUSY]) as server:
        client = training(server, budget=0)
        with pytest.raises(tinker.InternalServerError):
            client.optim_step().result(timeout=10)
        assert len(server.seen["optim_step"]) == 1


def test_a_result_that_is_not_there_in_time_is_a_timeout_and_the_run_goes_on() -> None:
    with ScriptedServer() as server:
        client = training(server, deadline=0.5, **QUICK)
        server.script(retrieve_future=[PENDING])
        with pytest.raises(
            tinker.APITimeoutError,
            match=r"optim_step \(.*seq_id=1.*the deadline of 0.5 s passed",
        ):
            client.optim_step().result(timeout=10)
        server.script(retrieve_future=[RESULT])
        assert client.optim_step().result(timeout=10).metrics == {"a": 1.0}
        assert [request["seq_id"] for request in server.seen["optim_step"]] == [1, 2]


def test_a_submission_that_is_not_accepted_in_time_poisons_the_run() -> None:
    """The server may have taken it."""
    with ScriptedServer(optim_step=[BUSY]) as server:
        client = training(server, deadline=0.3, **QUICK)
        with pytest.raises(tinker.APIError) as failed:
            client.optim_step().result(timeout=10)
        assert failed.value.outcome_unknown
        with pytest.raises(tinker.RunPoisonedError):
            client.optim_step()


class Held(ScriptedServer):
    """Holds the first optim_step until it is let go."""

    def __init__(self) -> None:
        super().__init__(retrieve_future=[(200, {"model_id": "m"}), RESULT])
        self.let_go = threading.Event()

    def answer(self, operation: str, content: bytes, headers: dict[str, str]) -> Answer:
        answer = super().answer(operation, content, headers)
        if operation == "optim_step" and len(self.seen["optim_step"]) == 1:
            self.let_go.wait(20)
        return answer


def test_an_attempt_without_a_response_ends_when_the_policy_says() -> None:
    with Held() as server:
        client = training(server, attempt_timeout=0.2, **QUICK)
        assert client.optim_step().result(timeout=10).metrics == {"a": 1.0}
        sent = [request["seq_id"] for request in server.seen["optim_step"]]
        assert (
            len(sent) >= 2
        )  # a busy machine may take longer than one attempt for the response too
        assert set(sent) == {1}
        server.let_go.set()


def test_what_is_too_late_before_its_turn_is_not_sent() -> None:
    with Held() as server:
        client = training(server, deadline=0.5, **QUICK)
        first, second = client.optim_step(), client.optim_step()
        with pytest.raises(tinker.APITimeoutError):
            first.result(timeout=10)
        with pytest.raises(tinker.TinkerError):  # the run is poisoned, or the deadline has passed
            second.result(timeout=10)
        server.let_go.set()
        assert {request["seq_id"] for request in server.seen["optim_step"]} == {1}


NOTE = "An earlier attempt may have taken effect on the server."


@pytest.mark.parametrize(
    ("operation", "ask", "notes"),
    [
        ("get_server_capabilities", lambda service: service.get_server_capabilities(), []),
        ("sessions", lambda service: service.create_rest_client().list_sessions().result(), []),
        ("get_info", lambda service: service.reattach_training_client("s:train:0").result(), []),
        (
            "publish",
            lambda service: (
                service.create_rest_client()
                .publish_checkpoint_from_tinker_path("tinker://s:train:0/weights/a")
                .result()
            ),
            [NOTE],
        ),
    ],
)
def test_only_what_changes_something_may_have_taken_effect(
    operation: str, ask: Callable[[tinker.ServiceClient], object], notes: list[str]
) -> None:
    policy = tinker.RetryPolicy(attempts=2, **QUICK)
    with (
        ScriptedServer(**{operation: [BUSY]}) as server,
        tinker.ServiceClient(base_url=server.url, retry=policy) as service,
    ):
        with pytest.raises(tinker.InternalServerError) as failed:
            ask(service)
        assert len(server.seen[operation]) == 2
    assert getattr(failed.value, "__notes__", []) == notes


def test_what_changes_nothing_is_in_the_contract() -> None:
    contract = json.loads((Path(tinker_contract.__file__).parent / "openapi.json").read_bytes())
    posts = {item["post"]["operationId"] for item in contract["paths"].values() if "post" in item}
    assert posts >= outcome.READS
