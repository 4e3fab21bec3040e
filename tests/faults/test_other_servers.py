"""One client for every server: their differences are understood, and what one lacks is reported in a sentence.

Whatever happens, the number of requests is small: nothing is repeated that cannot succeed.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

import tinker
from tests.support.other_servers import Early, Loose, OtherServer, Strict
from tests.support.scripted_server import Answer, ScriptedServer
from tinker import types

TOKENS = tinker.ModelInput.from_ints([1, 2])
DATUM = tinker.Datum(TOKENS)  # the last token predicts nothing: its log-probability is NaN
ONE = tinker.SamplingParams(max_tokens=2)


@pytest.fixture
def strict() -> Iterator[Strict]:
    with Strict() as server:
        yield server
        close()


@pytest.fixture
def loose() -> Iterator[Loose]:
    with Loose() as server:
        yield server
        close()


@pytest.fixture
def early() -> Iterator[Early]:
    with Early() as server:
        yield server
        close()


_opened: list[tinker.ServiceClient] = []


def service(server: OtherServer, **options: Any) -> tinker.ServiceClient:
    """A client, which is closed before the server is."""
    _opened.append(tinker.ServiceClient(base_url=server.url, api_key=Strict.KEY, **options))
    return _opened[-1]


def close() -> None:
    while _opened:
        _opened.pop().close().result(timeout=10)


def training(server: OtherServer) -> tinker.TrainingClient:
    return service(server).create_lora_training_client("base", rank=8).result(timeout=10)


def no_more_than(server: OtherServer, before: int, most: int) -> None:
    assert server.requests - before <= most, server.seen


# ---- a server that is strict ----------------------------------------------------------------


def test_a_session_with_a_strict_server(strict: Strict) -> None:
    client = training(strict)
    results = [
        client.forward([DATUM], "cross_entropy"),
        client.forward_backward([DATUM] * 200, "cross_entropy"),
        client.optim_step(),
        client.save_state("a", ttl_seconds=3600, overwrite=True),
        client.load_state("tinker://m/weights/a"),
    ]
    for result in results:
        result.result(timeout=10)
    sampler = client.save_weights_and_get_sampling_client().result(timeout=10)
    samples = sampler.sample(TOKENS, 1, ONE, topk_prompt_logprobs=0).result(timeout=10)
    assert samples.sequences[0].tokens == [1, 1]
    assert [operation for _, operation in strict.executed] == [
        *("forward", "forward_backward", "forward_backward", "optim_step"),
        *("save_weights", "load_weights", "save_weights_for_sampler"),
    ]
    # Each request was taken the first time.
    assert [len(strict.seen[name]) for name in ("optim_step", "save_weights")] == [1, 1]


def test_what_only_informs_is_left_out(strict: Strict, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "tinker"):
        client = (
            service(strict, display_name="mine")
            .create_lora_training_client("base", user_metadata={"a": "b"})
            .result(timeout=10)
        )
        saved = client.save_state("a", user_metadata={"c": "d"}).result(timeout=10)
    assert saved.path == "tinker://m/weights/a"
    assert [len(strict.seen[name]) for name in ("create_session", "save_weights")] == [2, 2]
    # Where it is known it is sent.
    assert strict.seen["create_model"][0]["user_metadata"] == {"a": "b"}
    for line, name in zip(caplog.messages, ("display_name", "user_metadata"), strict=True):
        assert line.endswith(f"status 422: {strict.url} does not know {name}; it is left out")


def test_what_matters_is_refused_in_one_sentence(strict: Strict) -> None:
    client = training(strict)
    sampler = service(strict).create_sampling_client(base_model="base").result(timeout=10)
    before = strict.requests
    for name, call in (
        ("topk_sample_logprobs", lambda: sampler.sample(TOKENS, 1, ONE, topk_sample_logprobs=2)),
        ("prompt_alt_tokens_k", lambda: sampler.sample(TOKENS, 1, ONE, prompt_alt_tokens_k=2)),
        ("kind", lambda: client.save_weights_and_get_sampling_client(kind="inflight")),
        (
            "optimizer_config",
            lambda: service(strict).create_lora_training_client(
                "base", optimizer=types.DimuonOptimizerConfig()
            ),
        ),
    ):
        with pytest.raises(
            tinker.UnprocessableEntityError, match=f"{strict.url} does not know {name}$"
        ):
            call().result(timeout=10)
    # The last one opens a session, and asks for the models and twice for a route that is not there.
    no_more_than(strict, before, 9)
    # None of it has cost a number.
    client.optim_step().result(timeout=10)
    assert strict.executed == [(1, "optim_step")]


def test_chunks_that_overtake_each_other_take_effect_in_order(strict: Strict) -> None:
    strict.missing = frozenset({"config"})  # so that it cannot say that it takes one at a time
    client = training(strict)
    client.forward_backward([DATUM], "cross_entropy").result(timeout=10)
    strict.hold_until_another_comes(2)
    batch = client.forward_backward([DATUM] * 500, "cross_entropy")
    step, save = client.optim_step(), client.save_state("a")
    assert len(batch.result(timeout=10).loss_fn_outputs) == 500
    step.result(timeout=10)
    save.result(timeout=10)
    assert strict.executed == [
        *((number, "forward_backward") for number in range(1, 6)),
        (6, "optim_step"),
        (7, "save_weights"),
    ]


def test_a_load_that_is_counted_against_another_run_is_reported(strict: Strict) -> None:
    strict.refuses_loads_from_others = True
    client = training(strict)
    saved = client.save_state("a").result(timeout=10)
    before = strict.requests
    future = service(strict).create_training_client_from_state(saved.path)
    with pytest.raises(
        tinker.TinkerError,
        match=f"^load_weights .*{strict.url} loads a checkpoint only into the run that saved it",
    ):
        future.result(timeout=10)
    no_more_than(strict, before, 13)


def test_a_failure_that_keeps_its_number_ends_no_run(strict: Strict) -> None:
    client = training(strict)
    client.optim_step().result(timeout=10)
    lost = client.load_state("tinker://m/weights/gone")
    also_lost = client.load_state("tinker://m/weights/also-gone")
    behind = [client.forward_backward([DATUM], "cross_entropy"), client.optim_step()]
    with pytest.raises(tinker.NotFoundError, match="Checkpoint gone not found"):
        lost.result(timeout=10)
    with pytest.raises(tinker.NotFoundError, match="Checkpoint gone not found"):
        also_lost.result(timeout=10)
    for result in behind:
        result.result(timeout=10)
    client.save_state("a").result(timeout=10)
    # The lost numbers are used up; what was behind them took effect once, and in order.
    assert strict.executed == [
        (1, "optim_step"),
        *((2, "forward"), (3, "forward")),
        *((4, "forward_backward"), (5, "optim_step"), (6, "save_weights")),
    ]


def test_a_poll_that_times_out_for_good_is_a_failure(strict: Strict) -> None:
    sampler = service(strict).create_sampling_client(base_model="base").result(timeout=10)
    for _ in range(13):
        sampler.sample(TOKENS, 1, ONE).result(timeout=10)
    before = strict.requests
    with pytest.raises(tinker.RequestFailedError, match="Timeout when waiting for sequence ID 13"):
        sampler.sample(TOKENS, 1, ONE).result(timeout=10)
    no_more_than(strict, before, 2)


def test_a_server_error_that_says_why_is_not_repeated(strict: Strict) -> None:
    client = service(strict)
    with pytest.raises(tinker.InternalServerError, match="Failed to create model: CUDA error"):
        client.create_lora_training_client("broken").result(timeout=10)
    assert len(strict.seen["create_model"]) == 1


@pytest.mark.usefixtures("short_pauses")
def test_a_question_that_ends_in_a_server_error_is_not_repeated_for_long(strict: Strict) -> None:
    future = service(strict).create_training_client_from_state("tinker://x/weights/y")
    with pytest.raises(
        tinker.InternalServerError, match=r"Internal Server Error \(tried \d+ times"
    ):
        future.result(timeout=10)
    assert 1 < len(strict.seen["weights_info"]) < 50


def test_keys(strict: Strict) -> None:
    wrong = tinker.ServiceClient(base_url=strict.url, api_key="tml-other")
    with pytest.raises(tinker.PermissionDeniedError, match="client_config .*403: Invalid API key"):
        wrong.create_sampling_client(base_model="base").result(timeout=10)
    assert strict.requests == 1


def test_what_saves_work_is_left_out_for_good(
    strict: Strict, caplog: pytest.LogCaptureFixture
) -> None:
    sampler = service(strict).create_sampling_client(base_model="base").result(timeout=10)
    prompt = tinker.ModelInput.from_ints([1, 2, 3, 4])
    with caplog.at_level(logging.WARNING, "tinker"):
        for _ in range(3):
            scores = sampler.compute_logprobs(prompt, prompt_logprobs_last_n=2).result(timeout=10)
            assert scores == [None, None, -1.0, -1.0]
    # It is refused once.
    assert ["prompt_logprobs_last_n" in r for r in strict.seen["asample"]] == [True] + [False] * 3
    (line,) = caplog.messages
    assert line.endswith(f"{strict.url} does not know prompt_logprobs_last_n; it is left out")


# ---- a server that is loose -----------------------------------------------------------------


def test_a_session_with_a_loose_server(loose: Loose) -> None:
    client = training(loose)
    output = client.forward_backward([DATUM], "cross_entropy").result(timeout=10)
    assert output.loss_fn_outputs[0]["logprobs"].tolist() == pytest.approx(
        [-1.0, math.nan], nan_ok=True
    )
    assert output.metrics["loss:mean"] == 1.5
    client.forward([DATUM], "cross_entropy").result(timeout=10)
    client.optim_step().result(timeout=10)
    saved = client.save_state("a").result(timeout=10)
    assert saved.path == "tinker://m/checkpoints/a"
    sampler = client.create_sampling_client(saved.path).result(timeout=10)
    # It has no route that tells of a sampler: the run does.
    assert sampler.get_base_model() == "base"
    samples = sampler.sample(TOKENS, 1, ONE, include_prompt_logprobs=True).result(timeout=10)
    assert samples.prompt_logprobs == [None, -1.0]
    kinds = [r["headers"]["content-type"] for r in loose.seen["forward_backward"]]
    # A 500 may be anything: it is believed to be about the encoding when it is told three times.
    assert kinds == [*["application/x-protobuf"] * 3, "application/json"]


def test_what_is_not_implemented_is_not_repeated(loose: Loose) -> None:
    client = training(loose)
    client.forward_backward([DATUM], "cross_entropy").result(timeout=10)
    before = loose.requests
    policy = {"target_tokens": [1, 2], "logprobs": [-1.0, -1.0], "advantages": [1.0, 1.0]}
    with pytest.raises(tinker.InternalServerError, match="501: loss_fn 'dro' is declared"):
        client.forward_backward([tinker.Datum(TOKENS, policy)], "dro").result(timeout=10)
    with pytest.raises(tinker.InternalServerError, match=r"status 500: KeyError: 'x'$"):
        client.save_state("broken").result(timeout=10)
    no_more_than(loose, before, 2)
    # Both were refused: the run goes on.
    client.optim_step().result(timeout=10)
    assert [request["seq_id"] for request in loose.seen["optim_step"]] == [2]


def test_a_sampler_that_cannot_be_made_is_reported_at_once(loose: Loose) -> None:
    future = service(loose).create_sampling_client(model_path="tinker://m/sampler_weights/missing")
    with pytest.raises(
        tinker.InternalServerError, match=r"500: Sampler load_weights failed: KeyError: 'x'$"
    ):
        future.result(timeout=10)
    assert len(loose.seen["create_sampling_session"]) == 1


def test_a_failed_operation(loose: Loose) -> None:
    client = training(loose)
    with pytest.raises(tinker.RequestFailedError, match="optim_step .*failed: diverged") as failed:
        client.optim_step(tinker.AdamParams(learning_rate=2.0)).result(timeout=10)
    assert failed.value.category == "user"


def test_what_json_cannot_carry_is_reported(loose: Loose) -> None:
    client = training(loose)
    inputs = {"target_tokens": [1, 2], "logprobs": [-1.0, -1.0], "advantages": [1.0, 1.0]}
    spans = [tinker.SampledProvenanceSpan(sequence_id="s:0", length=2)]
    data = tinker.Datum(TOKENS, inputs, spans, spans)
    client.forward_backward([DATUM], "cross_entropy").result(timeout=10)  # it reads JSON alone
    for _ in range(2):
        with pytest.raises(ValueError, match="provenance spans.* JSON cannot carry"):
            client.forward_backward([data], "stable_reinforce").result(timeout=10)
    # Where they only inform they are left out.
    client.forward_backward([data], "importance_sampling").result(timeout=10)


def test_a_missing_response_is_reported(loose: Loose) -> None:
    sampler = service(loose).create_sampling_client(base_model="base").result(timeout=10)
    before = loose.requests
    for option in ("topk_prompt_logprobs", "topk_sample_logprobs", "prompt_alt_tokens_k"):
        name, asked = option.removesuffix("_k"), dict[str, Any]({option: 2})
        with pytest.raises(
            tinker.TinkerError, match=f"^asample .* {loose.url} does not offer {name}"
        ):
            sampler.sample(TOKENS, 1, ONE, **asked).result(timeout=10)
    no_more_than(loose, before, 6)


def test_an_optimizer_that_is_ignored_is_reported(
    loose: Loose, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "tinker"):
        service(loose).create_lora_training_client(
            "base", optimizer=types.DimuonOptimizerConfig()
        ).result(timeout=10)
    (line,) = caplog.messages
    assert "does not confirm that the optimizer of m is dimuon" in line


def test_a_quota_is_not_waited_for(loose: Loose) -> None:
    future = service(loose).create_lora_training_client("one too many")
    with pytest.raises(tinker.RateLimitError, match="429: Max 5 concurrent sessions$"):
        future.result(timeout=10)
    assert len(loose.seen["create_model"]) == 1


def test_times_in_seconds_or_without_a_zone_are_times(loose: Loose) -> None:
    rest = tinker.RestClient(base_url=loose.url, api_key=Strict.KEY)
    listed = rest.list_checkpoints("m").result(timeout=10).checkpoints
    checkpoint, forgotten, without_zone = listed
    assert checkpoint.tinker_path == "tinker://m/checkpoints/a"
    assert checkpoint.time == datetime(2025, 10, 9, 8, 53, 20, 500000, UTC)
    assert checkpoint.expires_at == datetime(2025, 10, 9, 9, 53, 20, tzinfo=UTC)
    assert (forgotten.time.year, forgotten.expires_at) == (1970, None)
    assert without_zone.time == checkpoint.time


def test_a_refusal_names_models_only_if_the_server_does(loose: Loose) -> None:
    future = service(loose).create_lora_training_client("base", rank=128)
    with pytest.raises(tinker.PermissionDeniedError, match="Max rank for your tier: 64$"):
        future.result(timeout=10)


def test_routes_that_are_not_there(loose: Loose, strict: Strict) -> None:
    for server, words in (
        (strict, f"404: {strict.url} does not offer this operation"),
        (loose, f"422: {loose.url} expects another format: query.model_id: Field required"),
    ):
        client = training(server)
        before = server.requests
        with pytest.raises(tinker.APIStatusError, match=f"unload_model .*{words}"):
            client.unload_model().result(timeout=10)
        no_more_than(server, before, 1)


# ---- no such server -------------------------------------------------------------------------

PAGE = b"<html>\r\n<head><title>Oh no</title></head>\r\n<body><h1>nginx</h1></body></html>"


def test_a_page_of_a_proxy_is_not_shown() -> None:
    with ScriptedServer(optim_step=[(502, PAGE)]) as server:
        client = tinker.ServiceClient(base_url=server.url)
        run = client.create_lora_training_client("m").result(timeout=10)
        future = run.optim_step()
        with pytest.raises(TimeoutError) as waiting:
            future.result(timeout=0.2)
        text = str(waiting.value)
        server.script(
            optim_step=[(200, {"request_id": "r"})], retrieve_future=[(200, {"type": "optim_step"})]
        )
        future.result(timeout=10)
    assert "status 502: Bad Gateway" in text
    assert "<" not in text


@pytest.mark.parametrize("status", [200, 400, 404, 405, 500, 501, 503])
def test_a_web_server_is_not_a_tinker_server(status: int, short_pauses: None) -> None:
    page: list[Answer] = [(status, PAGE)]
    with ScriptedServer(config=page, dynamic_config=page, create_session=page) as server:
        client = tinker.ServiceClient(base_url=server.url)
        with pytest.raises(
            tinker.APIError, match=f"{server.url} is not a Tinker server.*Check TINKER_BASE_URL"
        ) as failed:
            client.create_lora_training_client("m").result(timeout=10)
    assert "<" not in str(failed.value)
    assert not server.seen["create_model"]


def test_a_server_that_is_elsewhere_says_where() -> None:
    moved = (308, b"", {"Location": "https://there.example/api/v1/client/config?ticket=secret"})
    with ScriptedServer(config=[moved]) as server:
        client = tinker.ServiceClient(base_url=server.url)
        with pytest.raises(
            tinker.APIStatusError,
            match=f"308: {server.url} redirects to https://there.example/api/v1/client/config: "
            "check TINKER_BASE_URL$",
        ):
            client.create_lora_training_client("m").result(timeout=10)


# ---- an early server ------------------------------------------------------------------------


def test_a_session_with_an_early_server(early: Early) -> None:
    client = training(early)
    output = client.forward_backward([DATUM] * 200, "cross_entropy").result(timeout=10)
    assert output.loss_fn_outputs[199]["logprobs"].tolist() == pytest.approx(
        [-1.0, math.nan], nan_ok=True
    )
    client.optim_step().result(timeout=10)
    saved = client.save_weights_for_sampler("a").result(timeout=10)
    assert saved.path == "tinker://model_1/sampler_weights/a"
    for sampler in (
        client.save_weights_and_get_sampling_client().result(timeout=10),
        client.save_weights_and_get_sampling_client().result(timeout=10),
        client.create_sampling_client(saved.path).result(timeout=10),
    ):
        assert sampler.get_base_model() == "base"
        assert sampler.compute_logprobs(TOKENS).result(timeout=10) == [None, -1.0]
    # It was asked once whether it needs no name; each sampler has its own.
    names = [request.get("path") for request in early.seen["save_weights_for_sampler"]]
    assert names[:2] == ["a", None]
    assert len(set(names)) == 4


def test_a_sampler_that_has_to_be_named_has_the_weights_of_its_turn(early: Early) -> None:
    client = training(early)
    sampler = client.save_weights_and_get_sampling_client()
    client.optim_step().result(timeout=10)
    sampler.result(timeout=10)
    (step,) = early.seen["optim_step"]
    assert [r["seq_id"] for r in early.seen["save_weights_for_sampler"]] == [1, 1]
    assert step["seq_id"] == 2


def test_forward_passes_that_are_not_there(early: Early, strict: Strict) -> None:
    client = training(early)
    before = early.requests
    unused: Any = None
    calls: list[Callable[[], tinker.APIFuture[tinker.ForwardBackwardOutput]]] = [
        lambda: client.forward([DATUM], "cross_entropy"),
        lambda: client.forward_backward_custom([DATUM], tinker.NumpyLoss(unused)),
    ]
    for call in calls:
        with pytest.raises(
            tinker.NotFoundError, match=f"^forward .*404: {early.url} does not offer this operation"
        ):
            call().result(timeout=10)
    no_more_than(early, before, 2)
    client.forward_backward([DATUM], "cross_entropy").result(timeout=10)
    assert [request["seq_id"] for request in early.seen["forward_backward"]] == [1]


def test_forward_passes_that_are_there_in_no_encoding(loose: Loose) -> None:
    loose.missing = frozenset({"forward"})
    client = training(loose)
    client.forward_backward([DATUM], "cross_entropy").result(timeout=10)  # it reads JSON alone
    before = loose.requests
    with pytest.raises(tinker.NotFoundError, match=f"404: {loose.url} does not offer this op"):
        client.forward([DATUM], "cross_entropy").result(timeout=10)
    no_more_than(loose, before, 1)
    client.forward_backward([DATUM], "cross_entropy").result(timeout=10)


def test_a_content_that_is_refused_is_not_taken_for_a_missing_route(strict: Strict) -> None:
    client = training(strict)
    policy = {"target_tokens": [1, 2], "logprobs": [-1.0, -1.0], "advantages": [1.0, 1.0]}
    with pytest.raises(tinker.UnprocessableEntityError, match="422: Invalid .*no loss_fn 'dro'"):
        client.forward([tinker.Datum(TOKENS, policy)], "dro").result(timeout=10)
    client.forward([DATUM], "cross_entropy").result(timeout=10)


def test_the_last_scores_of_all(early: Early) -> None:
    sampler = service(early).create_sampling_client(base_model="base").result(timeout=10)
    prompt = tinker.ModelInput.from_ints([1, 2, 3, 4])
    scores = sampler.compute_logprobs(prompt, prompt_logprobs_last_n=2).result(timeout=10)
    assert scores == [None, None, -1.0, -1.0]


def test_a_stream_of_a_server_that_does_not_stream(early: Early) -> None:
    sampler = service(early).create_sampling_client(base_model="base").result(timeout=10)
    events = list(sampler.sample_stream(TOKENS, ONE))
    assert [event.token_id for event in events] == [1, None]
    assert len(early.seen["asample"]) == 1


def test_failures_that_stay_are_not_repeated(early: Early) -> None:
    client = training(early)
    sampler = service(early).create_sampling_client(base_model="base").result(timeout=10)
    before = early.requests
    with pytest.raises(tinker.RequestFailedError, match="optim_step .*failed: Unknown error"):
        client.optim_step(tinker.AdamParams(learning_rate=2.0)).result(timeout=10)
    with pytest.raises(tinker.InternalServerError, match="500: Checkpoint creation failed: disk"):
        sampler.sample(tinker.ModelInput.from_ints([9]), 1, ONE).result(timeout=10)
    with pytest.raises(
        tinker.BadRequestError,
        match=r"400: LoadWeights is not permitted .*: "
        "it loads weights only as the first operation of a run, by create_training_client_from_state$",
    ):
        client.load_state("tinker://model_1/weights/a").result(timeout=10)
    no_more_than(early, before, 4)
    client.optim_step().result(timeout=10)


def test_a_path_of_the_address_is_kept(strict: Strict) -> None:
    there = tinker.ServiceClient(base_url=f"{strict.url}/not/here", api_key=Strict.KEY)
    with there:  # this server looks at the end of the path alone
        there.create_sampling_client(base_model="base").result(timeout=10)
    assert strict.paths <= {
        f"/not/here/api/v1/{name}"
        for name in (
            *("client/config", "client/dynamic_config", "create_session"),
            *("create_sampling_session", "sessions/s/finish"),
        )
    }


# ---- losses of other servers ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("loss", "inputs", "config"),
    [
        ("dppo", ("target_tokens", "logprobs", "advantages"), {"delta_low": 0.1}),
        ("ppo_critic", ("values", "returns"), {"value_clip": 0.2}),
        ("trinity_ppo", ("target_tokens", "logprobs", "advantages"), {"clip_range": 0.2}),
    ],
)
def test_a_loss_of_another_server_is_sent_as_it_is(
    loss: Any, inputs: tuple[str, ...], config: dict[str, float]
) -> None:
    output = {"loss_fn_output_type": "x", "loss_fn_outputs": [{}], "metrics": {"loss:sum": 1.0}}
    created = {"type": "create_model", "model_id": "s:train:0"}
    arrays = {
        name: types.TensorData([1, 2], "int64" if name == "target_tokens" else "float32")
        for name in inputs
    }
    answers: dict[str, Any] = {
        "config": [(404, {})],
        "retrieve_future": [(200, created), (200, output)],
    }
    with ScriptedServer(**answers) as server:
        client = tinker.ServiceClient(base_url=server.url, api_key=Strict.KEY)
        run = client.create_lora_training_client("m").result(timeout=10)
        result = run.forward_backward([types.Datum(TOKENS, arrays)], loss, config)
        assert result.result(timeout=10).metrics == {"loss:sum": 1.0}
        with pytest.raises(ValueError, match=f"has 'beta'; {loss} takes these keys: "):
            run.forward_backward([types.Datum(TOKENS, arrays)], loss, {"beta": 1.0})
        client.close().result(timeout=10)
    (sent,) = server.seen["forward_backward"]
    batch = sent["forward_backward_input"]
    assert (batch["loss_fn"], batch["loss_fn_config"]) == (loss, config)
    assert set(batch["data"][0]["loss_fn_inputs"]) == set(inputs)
