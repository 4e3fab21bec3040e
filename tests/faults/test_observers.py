"""What a client tells of itself: counters, events for observers, log records. All of it is true of what the server has seen."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest

import tinker
from tests.support.sampling_server import SamplingServer
from tests.support.scripted_server import ScriptedServer
from tinker import events
from tinker._protocol import back_pressure

STEP = {"type": "optim_step", "metrics": {"unclipped_grad_l2:mean": 1.0}}
CREATED = {"type": "create_model", "model_id": "s:train:0"}
PAUSED = {"type": "try_again", "queue_state": "paused_capacity", "queue_state_reason": "no room"}

pytestmark = pytest.mark.usefixtures("short_pauses")


def step(training: tinker.TrainingClient) -> tinker.types.OptimStepResponse:
    return training.optim_step(tinker.AdamParams()).result(timeout=10)


def seen(client: tinker.TrainingClient) -> list[events.Event]:
    found: list[events.Event] = []
    client.observe(found.append)
    return found


def test_counters_are_those_of_the_server(
    server: ScriptedServer, training: tinker.TrainingClient
) -> None:
    before = training.stats()
    server.script(
        optim_step=[
            (503, {"detail": "busy"}), (429, {"detail": "later"}, {"retry-after-ms": "20"}),
            (200, {"request_id": "s:train:0:1"}),
        ],
        retrieve_future=[(200, PAUSED), (200, {"type": "try_again"}), (200, STEP)],
    )  # fmt: skip
    step(training)
    stats = training.stats()
    sent = [int(one["headers"]["content-length"]) for one in server.seen["optim_step"]]
    requests = stats.requests["optim_step"]
    assert (requests.attempts, requests.failed, requests.bytes_sent) == (3, 2, sum(sent))
    assert requests.bytes_received == sum(
        len(body) for body in (b'{"detail": "busy"}', b'{"detail": "later"}', b'{"request_id": "s:train:0:1"}')
    )  # fmt: skip
    assert {cause: stats.retries[cause] for cause in stats.retries.keys() - before.retries} == {"503": 1, "429": 1}  # fmt: skip
    assert stats.polls - before.polls == 3
    assert stats.operations["optim_step"].done == 1
    assert stats.operations["optim_step"].latency.count == 1
    assert stats.waited.rate_limit >= 0.02
    assert stats.waited.retry > 0
    assert stats.waited.queue > 0
    assert stats.under_way == 0


def test_all_clients_of_a_service_are_counted_together(server: ScriptedServer) -> None:
    with tinker.ServiceClient(base_url=server.url) as service:
        assert service.stats().operations == {}
        training = service.create_lora_training_client("m").result(timeout=10)
        assert service.stats().operations.keys() == training.stats().operations.keys()
        assert service.stats().operations["create_model"].done == 1
        assert "create_session" in service.stats().requests


def test_each_kind_of_event_is_reported_in_order(
    server: ScriptedServer, training: tinker.TrainingClient
) -> None:
    server.script(
        optim_step=[(503, {"detail": "busy"}), (200, {"request_id": "s:train:0:1"})],
        retrieve_future=[(200, PAUSED), (200, STEP)],
    )
    found = seen(training)
    result = step(training)
    match found:
        case [
            events.Request(operation="optim_step", attempt=1, status=503, error=None),
            events.Retry(operation="optim_step", attempt=1, cause="503", error=tinker.InternalServerError()),
            events.Request(operation="optim_step", attempt=2, status=200),
            events.Request(operation="retrieve_future", purpose="optim_step", status=200),
            events.QueueState(operation="optim_step", state="paused_capacity", reason="no room"),
            events.Poll(state="pending", queue_state="paused_capacity", queue_reason="no room"),
            events.Request(operation="retrieve_future"),
            events.QueueState(state="active", reason=None),
            events.Poll(request_id="s:train:0:1", state="done", queue_state="active"),
            events.Result(operation="optim_step", seq_ids=(1,), request_ids=("s:train:0:1",), error=None),
        ]:  # fmt: skip
            pass
        case _:
            pytest.fail("\n".join(map(str, found)))
    assert isinstance(found[-1], events.Result)
    assert found[-1].value is result
    assert found[-1].ids == {"model_id": "s:train:0"}


def test_a_failure_is_reported_with_its_reason(
    server: ScriptedServer, training: tinker.TrainingClient
) -> None:
    server.script(retrieve_future=[(200, {"error": "out of memory", "category": "server"})])
    found = seen(training)
    with pytest.raises(tinker.RequestFailedError) as failed:
        step(training)
    assert [one.state for one in found if isinstance(one, events.Poll)] == ["failed"]
    assert isinstance(found[-1], events.Result)
    assert found[-1].error is failed.value
    assert training.stats().operations["optim_step"].failed == 1


def test_a_missing_response_is_an_event() -> None:
    found: list[events.Event] = []
    with ScriptedServer() as server:
        url = server.url
    service = tinker.ServiceClient(base_url=url, retry=tinker.RetryPolicy(attempts=2))
    service.observe(found.append)
    with pytest.raises(tinker.APIConnectionError):
        service.get_server_capabilities()
    tried = [one for one in found if isinstance(one, events.Request)]
    assert [(one.status, one.error) for one in tried] == [(None, "ConnectError")] * 2
    assert service.stats().retries == {"no response": 1}
    assert service.stats().requests["client_config"].failed == 2
    service.close().result(timeout=10)


def test_an_observer_that_fails_harms_nothing_and_is_logged_once(
    server: ScriptedServer, training: tinker.TrainingClient, caplog: pytest.LogCaptureFixture
) -> None:
    def failing(event: events.Event) -> None:
        raise ZeroDivisionError("of the observer")

    training.observe(failing)
    found = seen(training)
    server.script(retrieve_future=[(200, STEP)])
    step(training)
    step(training)
    records = [one for one in caplog.records if one.event == "observer_failed"]  # type: ignore[attr-defined]
    assert len(records) == 1
    assert "ZeroDivisionError: of the observer" in caplog.text
    assert (
        len([one for one in found if isinstance(one, events.Result)]) == 2
    )  # the other one still hears


def test_an_observer_can_be_stopped(
    server: ScriptedServer, training: tinker.TrainingClient
) -> None:
    first: list[events.Event] = []
    stop = training.observe(first.append)
    stop_again = training.observe(first.append)
    stop()
    stop()
    server.script(retrieve_future=[(200, STEP)])
    step(training)
    assert len([one for one in first if isinstance(one, events.Result)]) == 1
    stop_again()
    step(training)
    assert len([one for one in first if isinstance(one, events.Result)]) == 1


@pytest.mark.parametrize("observer", ["a word", None])
def test_what_cannot_observe_is_refused(training: tinker.TrainingClient, observer: Any) -> None:
    with pytest.raises(TypeError, match="must be a function of one event"):
        training.observe(observer)


def test_a_coroutine_function_is_refused(training: tinker.TrainingClient) -> None:
    async def observer(event: events.Event) -> None: ...

    with pytest.raises(TypeError, match="must not be a coroutine function"):
        training.observe(observer)


def test_samples_that_are_held_back_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(back_pressure, "_FIRST_PAUSE", 0.005)
    monkeypatch.setattr(back_pressure, "_LONGEST_PAUSE", 0.02)
    found: list[events.Event] = []
    with SamplingServer(capacity=1, per_tick=0) as server:
        client = server.sampler()
        client.observe(found.append)
        params = tinker.SamplingParams(max_tokens=1)
        samples = [client.sample(tinker.ModelInput.from_ints([n]), 1, params) for n in range(2)]
        server.wait_until(lambda: server.refused > 0)
        server.finish(1)
        server.wait_until(lambda: len(server.sampled) == 2)
        server.finish(1)
        for sample in samples:
            sample.result(timeout=20)
        stats = client.stats()
    assert server.refused == stats.retries["429"] > 0
    assert stats.waited.rate_limit > 0
    told = [one for one in found if isinstance(one, events.Retry)]
    assert {(one.operation, one.cause) for one in told} == {("asample", "429")}
    assert stats.operations["asample"].done == 2


def test_a_cancelled_sample_is_counted_as_that() -> None:
    ended = threading.Event()
    with SamplingServer(per_tick=0) as server:
        client = server.sampler()
        client.observe(lambda event: ended.set() if isinstance(event, events.Result) else None)
        params = tinker.SamplingParams(max_tokens=1)
        sample = client.sample(tinker.ModelInput.from_ints([1]), 1, params)
        server.wait_until(lambda: len(server.sampled) == 1)
        sample.future().cancel()
        assert ended.wait(10)
        assert client.stats().operations["asample"].cancelled == 1
        assert client.stats().under_way == 0


def test_a_record_has_its_event_and_its_fields(
    server: ScriptedServer, training: tinker.TrainingClient, caplog: pytest.LogCaptureFixture
) -> None:
    server.script(
        optim_step=[(503, {"detail": "busy"}), (200, {"request_id": "s:train:0:1"})],
        retrieve_future=[(200, STEP)],
    )
    with caplog.at_level(logging.DEBUG, "tinker"):
        step(training)
    records = {one.event: one for one in caplog.records}  # type: ignore[attr-defined]
    assert records.keys() == {"request", "retry", "poll", "operation_ended"}
    retry = records["retry"]
    assert (retry.name, retry.levelno) == ("tinker.requests", logging.INFO)
    assert isinstance(retry.args, dict)
    assert (retry.args["operation"], retry.args["attempt"], retry.args["cause"]) == ("optim_step", 1, "503")  # fmt: skip
    assert retry.getMessage().startswith("optim_step (model_id=s:train:0, seq_id=1) failed with status 503: busy; trying again in 0.")  # fmt: skip
