"""Each response that a server may return, and what becomes of the call."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

import tinker
from tests.support.scripted_server import Answer, ScriptedServer
from tinker import types
from tinker.retry_config import RetryConfig
from tinker.types import RequestErrorCategory

RESULT: Answer = (200, {"type": "optim_step", "metrics": {"a": 1.0}})
PENDING: Answer = (200, {"type": "try_again", "request_id": "r", "queue_state": "active"})


pytestmark = pytest.mark.usefixtures("short_pauses")


def step(training: tinker.TrainingClient) -> dict[str, float]:
    return dict(training.optim_step().result(timeout=10).metrics or {})


@pytest.mark.parametrize(
    "answers",
    [
        [PENDING, PENDING, RESULT],
        [(408, {"queue_state": "paused_capacity"}), RESULT],
        [(408, {"detail": "timeout"}), RESULT],
        [(500, {"detail": "oops"}), (502, b"<html>bad gateway</html>"), RESULT],
        [(429, {"detail": "slow"}), RESULT],
        [(529, {"detail": "overloaded"}), RESULT],
        [(402, {"detail": "billing"}), (402, {"detail": "billing"}), RESULT],
        [
            (200, {"status": "complete_metadata", "response_payload_size": 7340032}),
            RESULT,
        ],
        [(200, {"metrics": {"a": 1.0}})],  # no tag: the operation tells what it is
        [(200, {"type": "optim_step", "metrics": {"a": 1.0}, "new_in_2030": []})],
    ],
)
def test_polls_that_end_well(
    server: ScriptedServer, training: tinker.TrainingClient, answers: list[Answer]
) -> None:
    server.script(retrieve_future=list(answers))
    polled = len(server.seen["retrieve_future"])
    assert step(training) == {"a": 1.0}
    assert len(server.seen["retrieve_future"]) - polled == len(answers)
    # However often it was polled, it was submitted once.
    assert len(server.seen["optim_step"]) == 1


def test_metadata_is_allowed_until_it_was_had(
    server: ScriptedServer, training: tinker.TrainingClient
) -> None:
    server.script(
        retrieve_future=[
            (200, {"status": "complete_metadata", "response_payload_size": 10}),
            RESULT,
        ]
    )
    step(training)
    allowed = [poll["allow_metadata_only"] for poll in server.seen["retrieve_future"]]
    assert allowed[-2:] == [True, False]


Check = Callable[[tinker.TinkerError], bool]


@pytest.mark.parametrize(
    ("answer", "error", "text"),
    [
        (
            (200, {"error": "bad weights", "category": "user"}),
            tinker.RequestFailedError,
            "bad weights",
        ),
        (
            (200, {"error": "out of memory", "category": "server"}),
            tinker.RequestFailedError,
            "out of",
        ),
        (
            (200, {"status": "failed", "error": {"message": "no", "category": "user"}}),
            tinker.RequestFailedError,
            "failed: no",
        ),
        ((400, {"detail": "Future failed: no"}), tinker.RequestFailedError, "Future failed: no"),
        (
            (401, {"detail": "who?"}),
            tinker.AuthenticationError,
            r"401: who\?. Check TINKER_API_KEY",
        ),
        ((403, {"detail": "not yours"}), tinker.PermissionDeniedError, "not yours"),
        ((404, {"detail": "unknown"}), tinker.NotFoundError, "unknown"),
        ((410, {"detail": "expired"}), tinker.APIStatusError, "410: expired"),
        ((500, {"detail": "oops"}), tinker.InternalServerError, r"oops \(tried \d+ times"),
        ((200, b"<html>hello</html>"), tinker.APIResponseValidationError, "Perhaps a proxy"),
        ((200, {}), tinker.APIResponseValidationError, "none of the fields of optim_step"),
        ((200, {"status": "completed", "result": {}}), tinker.APIResponseValidationError, "none"),
        ((200, b""), tinker.APIResponseValidationError, "returned 200 with 0 bytes"),
        ((400, b""), tinker.BadRequestError, "400: Bad Request"),
        ((404, b"<html>"), tinker.NotFoundError, "404: Not Found, in an HTML page: a proxy"),
        ((409, b"<html>"), tinker.ConflictError, "409: Conflict, in an HTML page: a proxy"),
        ((200, ["a", "list"]), tinker.APIResponseValidationError, "do not match the contract"),
    ],
)
def test_polls_that_end_badly(
    server: ScriptedServer,
    training: tinker.TrainingClient,
    answer: Answer,
    error: type[Exception],
    text: str,
) -> None:
    server.script(retrieve_future=[answer])
    with pytest.raises(error, match=text) as failed:
        step(training)
    message = str(failed.value)
    assert "optim_step (model_id=s:train:0, seq_id=1" in message
    assert "tml-secret" not in message
    assert "\n" not in message
    # A failed result is not a failed submission: the run goes on.
    server.script(retrieve_future=[RESULT])
    assert step(training) == {"a": 1.0}
    assert [request["seq_id"] for request in server.seen["optim_step"]] == [1, 2]


def test_a_rejected_request_without_a_key_says_that_none_is_set(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TINKER_API_KEY", raising=False)
    server.script(create_session=[(401, {"detail": "who?"})])
    with (
        pytest.raises(tinker.AuthenticationError, match=r"who\?. No API key is set"),
        tinker.ServiceClient(base_url=server.url) as service,
    ):
        service.create_lora_training_client("m").result(timeout=10)


def test_categories_are_read_leniently(
    server: ScriptedServer, training: tinker.TrainingClient
) -> None:
    for said, meant in (("user_error", "user"), ("SERVER", "server"), ("novel", "unknown")):
        server.script(retrieve_future=[(200, {"error": "x", "category": said})])
        with pytest.raises(tinker.RequestFailedError) as failed:
            step(training)
        assert failed.value.category == RequestErrorCategory(meant)


def test_a_refused_submission_leaves_no_gap(
    server: ScriptedServer, training: tinker.TrainingClient
) -> None:
    server.script(
        optim_step=[
            (422, {"detail": [{"loc": ["body", "x"], "msg": "is bad", "type": "t"}]}),
            (200, {"request_id": "r"}),
        ],
        retrieve_future=[RESULT],
    )
    with pytest.raises(tinker.UnprocessableEntityError, match="422: body.x: is bad"):
        step(training)
    assert step(training) == {"a": 1.0}
    assert [request["seq_id"] for request in server.seen["optim_step"]] == [1, 1]


def test_a_conflict_is_final_at_once(
    server: ScriptedServer, training: tinker.TrainingClient
) -> None:
    server.script(save_weights=[(409, {"detail": "exists"})])
    with pytest.raises(tinker.ConflictError, match="exists"):
        training.save_state("x").result(timeout=10)
    assert len(server.seen["save_weights"]) == 1


def test_a_submission_nobody_knows_about_poisons_the_run(
    server: ScriptedServer, training: tinker.TrainingClient
) -> None:
    server.script(optim_step=[(503, {"detail": "starting"})])
    with pytest.raises(tinker.InternalServerError, match="starting"):
        step(training)
    tried = len(server.seen["optim_step"])
    assert tried > 1
    assert {request["seq_id"] for request in server.seen["optim_step"]} == {1}
    with pytest.raises(tinker.RunPoisonedError, match=r"seq_id 1 .*from the last checkpoint"):
        training.optim_step()
    assert len(server.seen["optim_step"]) == tried


ACCEPTED: Answer = (200, {"request_id": "r"})


@pytest.mark.parametrize("status", [400, 404, 409, 422])
@pytest.mark.parametrize("before", [500, 503, 408, 200])
def test_after_an_unknown_outcome_a_refusal_is_not_believed(
    server: ScriptedServer, training: tinker.TrainingClient, before: int, status: int
) -> None:
    """The server may refuse the repetition because it has carried out the first attempt."""
    refusal: Answer = (status, {"detail": "no"})
    server.script(
        optim_step=[(before, {"detail": "?"}), refusal, ACCEPTED], retrieve_future=[RESULT]
    )
    assert step(training) == {"a": 1.0}
    server.script(optim_step=[(before, {"detail": "?"}), refusal])
    with pytest.raises(tinker.APIStatusError, match=f"status {status}: no") as failed:
        step(training)
    assert failed.value.outcome_unknown
    with pytest.raises(tinker.RunPoisonedError, match="seq_id 2"):
        training.optim_step()


def test_a_refusal_is_believed_at_first(
    server: ScriptedServer, training: tinker.TrainingClient
) -> None:
    server.script(optim_step=[(409, {"detail": "no"}), ACCEPTED], retrieve_future=[RESULT])
    with pytest.raises(tinker.ConflictError) as failed:
        step(training)
    assert not failed.value.outcome_unknown
    assert step(training) == {"a": 1.0}
    assert [request["seq_id"] for request in server.seen["optim_step"]] == [1, 1]


def test_a_number_that_another_program_has_used_is_not_used_again(
    server: ScriptedServer, training: tinker.TrainingClient
) -> None:
    reused = "Training request sequence number was reused"  # as SkyRL says it
    server.script(optim_step=[(409, {"detail": reused}), ACCEPTED])
    with pytest.raises(tinker.ConflictError, match=reused):
        step(training)
    with pytest.raises(tinker.RunPoisonedError, match="another program has used its seq_id 1, "):
        step(training)
    assert len(server.seen["optim_step"]) == 1


def test_a_number_may_have_been_used_by_an_earlier_attempt_not_by_another_program(
    server: ScriptedServer, training: tinker.TrainingClient
) -> None:
    reused: Answer = (409, {"detail": "Training request sequence number was reused"})
    server.script(optim_step=[(503, {}), reused])
    with pytest.raises(tinker.ConflictError, match="was reused"):
        step(training)
    with pytest.raises(tinker.RunPoisonedError, match="not known whether the server accepted seq"):
        step(training)


def test_a_token_that_is_not_given_leaves_the_run_as_it_was() -> None:
    """Nothing was sent: the number is used again."""
    token: Answer = (200, {"jwt": "eyJhbGciOiJub25lIn0.e30.x"})
    expired: Answer = (401, {"detail": "?"}, {"WWW-Authenticate": 'Bearer error="invalid_token"'})
    refused: Answer = (403, {"detail": "no token for you"})
    with ScriptedServer(config=[(200, {"pjwt_auth_enabled": True})], token=[token]) as server:
        with tinker.ServiceClient(base_url=server.url) as service:
            training = service.create_lora_training_client("m").result(timeout=10)
            server.script(token=[refused], optim_step=[expired, ACCEPTED], retrieve_future=[RESULT])
            with pytest.raises(tinker.PermissionDeniedError, match="no token for you") as failed:
                step(training)
            assert not failed.value.outcome_unknown
            server.script(token=[token])
            assert step(training) == {"a": 1.0}
        assert [request["seq_id"] for request in server.seen["optim_step"]] == [1, 1]


BATCH_RESULT: Answer = (
    200,
    {"loss_fn_output_type": "x", "loss_fn_outputs": [{}], "metrics": {"loss:sum": 2.0}},
)


@pytest.mark.parametrize(
    "strange", [(400, {"detail": "?"}), (404, b"<html>"), (422, {"detail": "?"}), (500, {})]
)
def test_one_strange_response_does_not_change_the_encoding(
    server: ScriptedServer, training: tinker.TrainingClient, strange: Answer
) -> None:
    server.script(forward_backward=[strange, ACCEPTED], retrieve_future=[BATCH_RESULT])
    datum = tinker.Datum(tinker.ModelInput.from_ints([1, 2, 3]))
    for _ in range(2):
        training.forward_backward([datum], "cross_entropy").result(timeout=10)
    kinds = {r["headers"]["content-type"] for r in server.seen["forward_backward"]}
    assert kinds == {"application/x-protobuf"}


def test_what_is_learned_of_an_encoding_is_logged(
    server: ScriptedServer, training: tinker.TrainingClient, caplog: pytest.LogCaptureFixture
) -> None:
    refusals: list[Answer] = [(400, {"detail": "JSON, please"})] * 2
    server.script(forward_backward=[*refusals, ACCEPTED], retrieve_future=[BATCH_RESULT])
    datum = tinker.Datum(tinker.ModelInput.from_ints([1, 2, 3]))
    with caplog.at_level(logging.WARNING, "tinker"):
        training.forward_backward([datum], "cross_entropy").result(timeout=10)
    (line,) = [text for text in caplog.messages if "encod" in text or "batches" in text]
    assert "status 400: JSON, please" in line
    assert line.endswith("in json, in which all batches of this session are sent from now on")


def test_one_missing_settings_route_does_not_change_the_encoding() -> None:
    config: list[Answer] = [(404, {"detail": "Not Found"}), (200, {})]
    with ScriptedServer(config=config, retrieve_future=[BATCH_RESULT]) as server:
        server.script(retrieve_future=[(200, {"model_id": "m"}), BATCH_RESULT])
        with tinker.ServiceClient(base_url=server.url) as service:
            training = service.create_lora_training_client("m").result(timeout=10)
            datum = tinker.Datum(tinker.ModelInput.from_ints([1, 2, 3]))
            training.forward_backward([datum], "cross_entropy").result(timeout=10)
    (request,) = server.seen["forward_backward"]
    assert request["headers"]["content-type"] == "application/x-protobuf"


def test_a_server_that_says_how_long_to_wait_is_obeyed(
    server: ScriptedServer, training: tinker.TrainingClient, caplog: pytest.LogCaptureFixture
) -> None:
    wait = {"retry-after-ms": "20"}
    server.script(
        optim_step=[
            (503, {"detail": "busy"}, wait),
            (503, {"detail": "busy"}, wait),
            (200, {"request_id": "r"}),
        ],
        retrieve_future=[RESULT],
    )
    with caplog.at_level(logging.WARNING, "tinker"):
        step(training)
    (line,) = caplog.messages
    assert line.startswith("optim_step (model_id=s:train:0, seq_id=1) failed with status 503: busy")
    assert line.endswith("trying again in 0.0 s")


def test_the_protobuf_body_a_json_server_cannot_read(
    server: ScriptedServer, training: tinker.TrainingClient
) -> None:
    result = {
        "loss_fn_output_type": "scalar",
        "loss_fn_outputs": [{}],
        "metrics": {"loss:sum": 2.0},
    }
    accepted: Answer = (200, {"request_id": "r"})
    server.script(
        forward_backward=[*[(500, {"detail": "cannot print bytes"})] * 3, accepted],
        retrieve_future=[(200, result)],
    )
    datum = tinker.Datum(tinker.ModelInput.from_ints([1, 2, 3]))
    for _ in range(3):
        output = training.forward_backward([datum], "cross_entropy").result(timeout=10)
        assert output.metrics == {"loss:sum": 2.0, "loss:mean": 1.0}
    kinds = [r["headers"]["content-type"] for r in server.seen["forward_backward"]]
    assert kinds == [*["application/x-protobuf"] * 3, *["application/json"] * 3]


def test_a_server_that_reads_protobuf_alone(
    server: ScriptedServer, training: tinker.TrainingClient
) -> None:
    server.script(config=[(404, {})])
    with tinker.ServiceClient(base_url=server.url) as service:
        old = service.create_lora_training_client("m").result(timeout=10)
        server.script(
            forward_backward=[(415, {"detail": "protobuf only"}), (200, {"request_id": "r"})],
            retrieve_future=[
                (200, {"loss_fn_output_type": "x", "loss_fn_outputs": [{}], "metrics": {}})
            ],
        )
        datum = tinker.Datum(tinker.ModelInput.from_ints([1, 2, 3]))
        old.forward_backward([datum], "cross_entropy").result(timeout=10)
    kinds = [r["headers"]["content-type"] for r in server.seen["forward_backward"]]
    assert kinds == ["application/json", "application/x-protobuf"]


def test_a_batch_refused_in_both_encodings_says_why(
    server: ScriptedServer, training: tinker.TrainingClient
) -> None:
    server.script(
        forward_backward=[
            *[(422, {"detail": "bytes"})] * 2,
            (422, {"detail": "token 9 is unknown"}),
        ]
    )
    datum = tinker.Datum(tinker.ModelInput.from_ints([1, 2, 3]))
    with pytest.raises(tinker.UnprocessableEntityError, match="token 9 is unknown"):
        training.forward_backward([datum], "cross_entropy").result(timeout=10)
    assert len(server.seen["forward_backward"]) == 3


def test_samples_are_sent_again_when_the_server_says_later(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    later: Answer = (429, {"detail": "later"}, {"retry-after-ms": "5"})
    sample = {"sequences": [{"stop_reason": "stop", "tokens": [1], "logprobs": [-0.5]}]}
    server.script(
        asample=[later, later, (200, {"request_id": "r"})], retrieve_future=[(200, sample)]
    )
    with tinker.ServiceClient(base_url=server.url) as service:
        sampler = service.create_sampling_client(base_model="m").result(timeout=10)
        prompt = tinker.ModelInput.from_ints([1])
        response = sampler.sample(prompt, 1, tinker.SamplingParams(max_tokens=1)).result(timeout=10)
    assert response.sequences[0].tokens == [1]
    assert response.sequences[0].sequence_id == "r:0"
    # The same request, under the same number.
    assert [request["seq_id"] for request in server.seen["asample"]] == [0, 0, 0]


def test_a_lost_sample_is_requested_again(server: ScriptedServer) -> None:
    sample = {"sequences": [{"stop_reason": "length", "tokens": [1], "logprobs": None}]}
    server.script(retrieve_future=[(410, {"detail": "evicted"}), (200, sample)])
    with tinker.ServiceClient(base_url=server.url) as service:
        sampler = service.create_sampling_client(base_model="m").result(timeout=10)
        prompt = tinker.ModelInput.from_ints([1])
        sampler.sample(prompt, 1, tinker.SamplingParams(max_tokens=1)).result(timeout=10)
    assert [request["seq_id"] for request in server.seen["asample"]] == [0, 1]


def test_no_credential_in_anything_that_is_shown(
    server: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.script(create_model=[(401, {"detail": "bad key"})])
    with caplog.at_level(logging.DEBUG):
        service = tinker.ServiceClient(base_url=server.url, api_key="tml-secret")
        future = service.create_lora_training_client("m")
        with pytest.raises(tinker.AuthenticationError) as failed:
            future.result(timeout=10)
        shown = [repr(service), repr(future), repr(service.holder.settings), str(failed.value)]
        shown += [repr(failed.value), repr(service.holder.connection.settings), caplog.text]
        service.close().result(timeout=10)
    assert not [text for text in shown if "tml-secret" in text]


PROMPT = tinker.ModelInput.from_ints([1, 2])
ONE = tinker.SamplingParams(max_tokens=1)
SAMPLE: Answer = (
    200,
    {"sequences": [{"stop_reason": "length", "tokens": [1], "logprobs": [-1.0]}]},
)


def sampler(server: ScriptedServer, config: RetryConfig | None = None) -> tinker.SamplingClient:
    return (
        server.service()
        .create_sampling_client(base_model="m", retry_config=config)
        .result(timeout=10)
    )


def test_a_lost_sample_is_an_error_when_retries_are_off(server: ScriptedServer) -> None:
    server.script(retrieve_future=[(410, {"detail": "evicted"})])
    future = sampler(server, RetryConfig(enable_retry_logic=False)).sample(PROMPT, 1, ONE)
    with pytest.raises(tinker.APIStatusError, match="410: evicted"):
        future.result(timeout=10)
    assert len(server.seen["asample"]) == 1


def test_samples_that_do_not_end_are_given_up(server: ScriptedServer) -> None:
    server.script(retrieve_future=[PENDING])
    future = sampler(server, RetryConfig(progress_timeout=0.05)).sample(PROMPT, 1, ONE)
    with pytest.raises(
        TimeoutError, match=r"No sample .* for 0.05 s: asample .*waiting for the res"
    ):
        future.result(timeout=10)


def test_no_more_samples_in_flight_than_allowed(server: ScriptedServer) -> None:
    server.script(retrieve_future=[PENDING, PENDING, SAMPLE])
    client = sampler(server, RetryConfig(max_connections=1))
    first, second = client.sample(PROMPT, 1, ONE), client.sample(PROMPT, 1, ONE)
    second.result(timeout=10)
    assert first.future().done()
    # The second was sent when the first had its result.
    assert [request["seq_id"] for request in server.seen["asample"]] == [0, 1]


def test_newer_members_are_sent_only_when_asked_for(server: ScriptedServer) -> None:
    server.script(retrieve_future=[SAMPLE])
    client = sampler(server)
    client.sample(PROMPT, 1, ONE).result(timeout=10)
    everything = client.sample(
        PROMPT,
        1,
        ONE,
        topk_sample_logprobs=2,
        target_prompt_logprobs=tinker.TensorData(data=[[1]], dtype="int64"),
        prompt_alt_tokens_k=3,
        prompt_logprobs_last_n=1,
        include_prompt_logprobs=True,
    )
    with pytest.raises(
        tinker.TinkerError, match="does not offer topk_sample_logprobs and prompt_l"
    ):
        everything.result(timeout=10)
    plain, full = (set(request) for request in server.seen["asample"])
    assert full - plain == {
        "topk_sample_logprobs",
        "target_prompt_logprobs",
        "prompt_alt_tokens_k",
        "prompt_logprobs_last_n",
    }
    assert plain == {
        "headers",
        "num_samples",
        "prompt",
        "prompt_logprobs",
        "sampling_params",
        "sampling_session_id",
        "seq_id",
        "topk_prompt_logprobs",
        "type",
    }


def test_a_new_optimizer_is_sent_and_the_usual_one_is_not(server: ScriptedServer) -> None:
    with tinker.ServiceClient(base_url=server.url) as service:
        for optimizer in (
            None,
            types.AdamOptimizerConfig(),
            types.DimuonOptimizerConfig(),
        ):
            service.create_lora_training_client("m", optimizer=optimizer).result(timeout=10)
    sent = [request.get("optimizer_config") for request in server.seen["create_model"]]
    assert sent == [None, None, {"type": "dimuon", "version": 1}]


def test_parameters_of_another_optimizer(
    server: ScriptedServer, training: tinker.TrainingClient
) -> None:
    server.script(retrieve_future=[RESULT])
    params = types.DimuonParams(learning_rate=0.1)
    training.optim_step(params).result(timeout=10)
    (request,) = server.seen["optim_step"]
    assert request["optimizer_params"] == {
        "type": "dimuon", "learning_rate": 0.1, "grad_clip_norm": 0.0, "beta1": 0.9,
    }  # fmt: skip
    assert "adam_params" not in request
    with pytest.raises(TypeError, match="optim_params is a float; it must be AdamParams"):
        training.optim_step(0.1)  # type: ignore[arg-type]


def test_a_prompt_of_unknown_length_has_its_sample(server: ScriptedServer) -> None:
    server.script(retrieve_future=[SAMPLE])
    image = types.ImageChunk(data=b"\x89PNG", format="png")
    prompt = tinker.ModelInput(chunks=[image])
    response = sampler(server).sample(prompt, 1, ONE).result(timeout=10)
    assert response.sequences[0].tokens == [1]


def test_a_number_no_float_holds_is_refused(training: tinker.TrainingClient) -> None:
    with pytest.raises(ValueError, match="learning_rate is 1000"):
        training.optim_step(tinker.AdamParams(learning_rate=10**400))


@pytest.mark.parametrize("operation", ["optim_step", "retrieve_future"])
def test_a_response_that_cannot_be_decompressed_is_no_response(
    server: ScriptedServer, training: tinker.TrainingClient, operation: str
) -> None:
    promise: Answer = (200, {"request_id": "s:train:0:1"})
    whole = {"optim_step": promise, "retrieve_future": RESULT}[operation]
    garbled: Answer = (*whole[:2], {"Content-Encoding": "gzip"})
    server.script(**{"retrieve_future": [RESULT], operation: [garbled, whole]})
    asked = len(server.seen[operation])
    assert step(training) == {"a": 1.0}
    assert len(server.seen[operation]) - asked == 2


def test_a_call_whose_responses_cannot_be_decompressed_may_have_been_carried_out(
    server: ScriptedServer, training: tinker.TrainingClient
) -> None:
    server.script(optim_step=[(200, {}, {"Content-Encoding": "gzip"})])
    with pytest.raises(tinker.APIConnectionError) as raised:
        step(training)
    assert raised.value.outcome_unknown
    with pytest.raises(tinker.RunPoisonedError):
        step(training)
