"""A batch of several chunks of which the server refuses some: no number is left out, and the run goes on or says why not."""

from __future__ import annotations

import json
from typing import Any

import pytest

import tinker
from tests.support.scripted_server import Answer, ScriptedServer

ONE_EACH = {"fwdbwd_max_chunk_bytes_count": 1}
REFUSED: Answer = (422, {"detail": [{"loc": ["body"], "msg": "is bad", "type": "value_error"}]})
BROKEN: Answer = (400, {"detail": "not now"})


class Choosy(ScriptedServer):
    """Takes what it is sent, except for the chunks of these numbers; speaks JSON alone."""

    def __init__(self, *refused: int, fillers: Answer | None = None) -> None:
        super().__init__(config=[(200, ONE_EACH)])
        self.refused, self.fillers = set(refused), fillers
        self.taken: list[tuple[int, str]] = []

    def answer(self, operation: str, content: bytes, headers: dict[str, str]) -> Answer:
        answer = super().answer(operation, content, headers)
        if operation == "retrieve_future":
            asked = json.loads(content)["request_id"]
            if asked == "s:train:0:0":
                return 200, {"type": "create_model", "model_id": "s:train:0"}
            if asked.endswith("optim_step"):
                return 200, {"type": "optim_step", "metrics": {}}
            return 200, RESULT
        if operation not in ("forward", "forward_backward", "optim_step"):
            return answer
        if not headers["content-type"].startswith("application/json"):
            return 415, {"detail": "JSON alone"}
        number = int(json.loads(content)["seq_id"])
        if operation == "forward" and self.fillers is not None:
            return self.fillers
        if operation == "forward_backward" and number in self.refused:
            return REFUSED
        self.taken.append((number, operation))
        return 200, {"request_id": f"{number}:{operation}"}


RESULT: dict[str, Any] = {
    "loss_fn_output_type": "x",
    "loss_fn_outputs": [{}],
    "metrics": {"loss:sum": 1.0},
}
BATCH = [tinker.Datum(tinker.ModelInput.from_ints([1, 2, n])) for n in range(4)]


def refused_batch(server: Choosy) -> tuple[tinker.TrainingClient, tinker.TinkerError]:
    service = tinker.ServiceClient(base_url=server.url)
    training = service.create_lora_training_client("m").result(timeout=10)
    with pytest.raises(tinker.TinkerError) as failed:
        training.forward_backward(BATCH, "cross_entropy").result(timeout=10)
    return training, failed.value


def notes(error: Exception) -> str:
    return " ".join(getattr(error, "__notes__", []))


def test_the_number_of_a_refused_chunk_is_used_up_by_a_pass_without_effect() -> None:
    with Choosy(2, 3) as server:
        training, error = refused_batch(server)
        assert "is bad" in str(error)
        assert "2 of the call's 4 requests were accepted and take effect" in notes(error)
        training.optim_step().result(timeout=10)
        assert sorted(server.taken) == [
            (1, "forward_backward"),
            (2, "forward"),
            (3, "forward"),
            (4, "forward_backward"),
            (5, "optim_step"),
        ]


def test_numbers_of_the_last_chunks_are_used_again() -> None:
    with Choosy(3, 4) as server:
        training, _ = refused_batch(server)
        training.optim_step().result(timeout=10)
        assert sorted(server.taken) == [
            (1, "forward_backward"),
            (2, "forward_backward"),
            (3, "optim_step"),
        ]


def test_a_number_that_cannot_be_used_up_poisons_the_run() -> None:
    with Choosy(2, fillers=BROKEN) as server:
        training, error = refused_batch(server)
        assert "is bad" in str(error)
        with pytest.raises(tinker.RunPoisonedError, match=r"seq_id 2 \(.*not now"):
            training.optim_step()
        assert "optim_step" not in {operation for _, operation in server.taken}
