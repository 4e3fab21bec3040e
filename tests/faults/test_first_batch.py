"""The session's first batch, whose encoding is not known yet: what may have been carried out is never taken for rejected."""

from __future__ import annotations

import pytest

import tinker
from tests.support.scripted_server import Answer, ScriptedServer
from tinker import types

pytestmark = pytest.mark.usefixtures("short_pauses")

ACCEPTED: Answer = (200, {"request_id": "r"})
BROKEN: Answer = (500, {"detail": "?"})
RESULT: Answer = (
    200,
    {"loss_fn_output_type": "x", "loss_fn_outputs": [{}], "metrics": {"loss:sum": 2.0}},
)
TOKENS = tinker.ModelInput.from_ints([1, 2])
DATUM = tinker.Datum(TOKENS)
PROTOBUF, JSON = "application/x-protobuf", "application/json"


def in_protobuf_alone() -> tinker.Datum:
    """A datum with provenance spans, for which JSON has no place."""
    inputs = {"target_tokens": [1, 2], "logprobs": [-1.0, -1.0], "advantages": [1.0, 1.0]}
    spans = [types.SampledProvenanceSpan(sequence_id="s:0", length=2)]
    return tinker.Datum(TOKENS, inputs, spans, spans)


def kinds(server: ScriptedServer, operation: str = "forward_backward") -> list[str]:
    return [request["headers"]["content-type"] for request in server.seen[operation]]


def assert_poisoned(training: tinker.TrainingClient) -> None:
    with pytest.raises(tinker.RunPoisonedError, match="seq_id 1 "):
        training.optim_step()


def test_a_batch_that_json_cannot_carry_goes_on_in_protobuf(
    server: ScriptedServer, training: tinker.TrainingClient
) -> None:
    server.script(forward_backward=[*[BROKEN] * 4, ACCEPTED], retrieve_future=[RESULT])
    future = training.forward_backward([in_protobuf_alone()], "stable_reinforce")
    assert future.result(timeout=10).metrics == {"loss:sum": 2.0}
    training.forward_backward([DATUM], "cross_entropy").result(timeout=10)
    assert kinds(server) == [PROTOBUF] * 6


def test_a_batch_that_json_cannot_carry_is_not_taken_for_rejected(
    server: ScriptedServer, training: tinker.TrainingClient
) -> None:
    server.script(forward_backward=[BROKEN])
    future = training.forward_backward([in_protobuf_alone()], "stable_reinforce")
    with pytest.raises(tinker.InternalServerError) as failed:
        future.result(timeout=10)
    assert failed.value.outcome_unknown
    assert_poisoned(training)


def test_a_missing_route_in_the_other_encoding_does_not_refuse_a_forward_pass(
    server: ScriptedServer, training: tinker.TrainingClient
) -> None:
    """The server has done the work three times over before it answered; it has no route for JSON."""
    server.script(forward_backward=[*[BROKEN] * 3, ACCEPTED], retrieve_future=[RESULT])
    result = training.forward([DATUM], "cross_entropy").result(timeout=10)
    assert result.metrics == {"loss:sum": 2.0, "loss:mean": 2.0}
    assert (
        kinds(server, "forward") == [JSON] * 2
    )  # a missing route is believed when it is told twice
    assert kinds(server) == [PROTOBUF] * 4


def test_a_missing_route_does_not_make_an_unknown_outcome_known(
    server: ScriptedServer, training: tinker.TrainingClient
) -> None:
    server.script(forward_backward=[BROKEN])
    with pytest.raises(tinker.InternalServerError) as failed:
        training.forward([DATUM], "cross_entropy").result(timeout=10)
    assert failed.value.outcome_unknown
    assert_poisoned(training)


@pytest.mark.parametrize("refusal", [400, 404, 409, 413, 422])
@pytest.mark.parametrize("unknown", [500, 503, 408])
def test_a_refusal_in_both_encodings_after_an_unknown_outcome(
    server: ScriptedServer, training: tinker.TrainingClient, unknown: int, refusal: int
) -> None:
    """The repetitions may be refused because the first attempt was carried out."""
    server.script(forward_backward=[(unknown, {"detail": "?"}), (refusal, {"detail": "no"})])
    with pytest.raises(tinker.APIStatusError, match=f"{refusal}: no") as failed:
        training.forward_backward([DATUM], "cross_entropy").result(timeout=10)
    assert failed.value.outcome_unknown
    assert_poisoned(training)


@pytest.mark.parametrize("refusal", [400, 413, 422])
def test_a_refusal_in_both_encodings_leaves_the_number_free(
    server: ScriptedServer, training: tinker.TrainingClient, refusal: int
) -> None:
    server.script(forward_backward=[(refusal, {"detail": "no"})], retrieve_future=[RESULT])
    with pytest.raises(tinker.APIStatusError, match=f"{refusal}: no") as failed:
        training.forward_backward([DATUM], "cross_entropy").result(timeout=10)
    assert not failed.value.outcome_unknown
    server.script(forward_backward=[ACCEPTED])
    training.forward_backward([DATUM], "cross_entropy").result(timeout=10)
