"""Going on with a training run from another process: by the server, by a journal, or from the last checkpoint."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

import tinker
from tests.support.fault_proxy import FAULTS, FaultProxy, at
from tests.support.outcomes import datum, plain
from tests.support.raw_client import KEY, Raw, optim_step
from tests.support.scripted_server import ScriptedServer
from tests.support.server_clock import Clock
from tinker_local import LocalServer
from tinker_local.errors import Refusal
from tinker_local.options import Options
from tinker_local.protocol.handlers import models as handlers

MODEL = "tinker-local/tiny"
BATCH = [datum("one text"), datum("another")]
ADAM = tinker.AdamParams(learning_rate=5e-3)


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "journal"


def client(server: str) -> tinker.ServiceClient:
    return tinker.ServiceClient(base_url=server, api_key=KEY)


def step(training: tinker.TrainingClient) -> Any:
    passed = training.forward_backward(BATCH, "cross_entropy")
    training.optim_step(ADAM).result(60)
    return plain(passed.result(60))


def new(service: tinker.ServiceClient, journal: Path | None = None) -> tinker.TrainingClient:
    return service.create_lora_training_client(MODEL, rank=2, seed=7, journal=journal).result(60)


@pytest.fixture(scope="module")
def undisturbed(server: str) -> list[Any]:
    with client(server) as service:
        training = new(service)
        return [step(training) for _ in range(3)]


# ---- by the server ---------------------------------------------------------------------------


def test_a_run_of_another_session_goes_on(server: str, undisturbed: list[Any]) -> None:
    with client(server) as first:
        training = new(first)
        found = [step(training)]
        with client(server) as second:
            again = second.reattach_training_client(training.model_id).result(60)
            assert again.model_id == training.model_id
            found.append(step(again))
        third = client(server)
        found.append(step(third.reattach_training_client(training.model_id).result(60)))
        third.close().result()
    assert found == undisturbed


def test_it_can_be_awaited(server: str, undisturbed: list[Any]) -> None:
    async def go_on() -> list[Any]:
        async with client(server) as service:
            training = await service.create_lora_training_client(MODEL, rank=2, seed=7)
            await training.forward_backward(BATCH, "cross_entropy")
            await training.optim_step(ADAM)
            again = await service.reattach_training_client(training.model_id)
            return [plain(await again.forward_backward(BATCH, "cross_entropy"))]

    assert asyncio.run(go_on()) == undisturbed[1:2]


def test_samplers_of_a_run_that_is_taken_up_are_its_own(server: str) -> None:
    prompt, params = tinker.ModelInput.from_ints(list(b"one")), tinker.SamplingParams(
        max_tokens=4, temperature=0
    )  # fmt: skip
    with client(server) as first, client(server) as second:
        training = new(first)
        before = training.save_weights_and_get_sampling_client().result(60)
        again = second.reattach_training_client(training.model_id).result(60)
        for _ in range(20):
            again.forward_backward(BATCH, "cross_entropy")
            again.optim_step(tinker.AdamParams(learning_rate=5e-2))
        after = again.save_weights_and_get_sampling_client().result(60)
        assert before.sample(prompt, 1, params).result(60).sequences[0].logprobs != (
            after.sample(prompt, 1, params).result(60).sequences[0].logprobs
        )


def test_a_run_that_is_not_there_any_more(server: str) -> None:
    with client(server) as service:
        with pytest.raises(
            tinker.RunLostError, match=r"does not know it .* It has no checkpoint\."
        ):
            service.reattach_training_client("s:train:0").result(60)
        training = new(service)
        path = training.save_state("last").result(60).path
        training.unload_model().result(60)
        with pytest.raises(
            tinker.RunLostError, match=f"a run that was unloaded has none. Go on from .* {path}"
        ) as lost:
            service.reattach_training_client(training.model_id).result(60)
        assert lost.value.checkpoint == path
        last = service.create_training_client_from_state_with_optimizer(path).result(60)
        step(last)


def test_a_run_with_a_gap_is_not_taken_up(server: str) -> None:
    """A chunk has arrived, and the one before it, of the process that was killed, has not."""
    with Raw(server) as raw, client(server) as service:
        model_id = raw.model()
        raw.do("optim_step", optim_step(model_id, 1))
        raw.post("optim_step", optim_step(model_id, 3))
        info = raw.post("get_info", {"model_id": model_id})
        assert (info["next_seq_id"], info["last_seq_id"]) == (2, 3)
        with pytest.raises(tinker.RunLostError, match="seq_id 2 has not arrived, and 3 has"):
            service.reattach_training_client(model_id).result(60)
        raw.do("optim_step", optim_step(model_id, 2))
        info = raw.post("get_info", {"model_id": model_id})
        assert (info["next_seq_id"], info["last_seq_id"]) == (4, 3)
        service.reattach_training_client(model_id).result(60).optim_step(ADAM).result(60)


def test_a_server_that_does_not_tell_needs_a_journal(journal: Path) -> None:
    stepped: Any = {"type": "optim_step", "metrics": {}}
    with ScriptedServer() as server:
        with client(server.url) as service:
            training = service.create_lora_training_client("m", journal=journal).result(10)
            server.script(retrieve_future=[(200, stepped)])
            for _ in training.steps(2):
                training.optim_step(ADAM).result(10)
        with client(server.url) as service:
            with pytest.raises(tinker.RunLostError, match="does not report its next seq_id"):
                service.reattach_training_client("s:train:0").result(10)
            training = service.reattach_training_client("s:train:0", journal=journal).result(10)
            for _ in training.steps(3):
                training.optim_step(ADAM).result(10)
        assert [request["seq_id"] for request in server.seen["optim_step"]] == [1, 2, 3]


# ---- by a journal ----------------------------------------------------------------------------


def test_the_same_program_again_submits_nothing_again(server: str, journal: Path) -> None:
    """Calls outside a loop, a custom loss and a sampler get the results that they had."""

    def loss(data: Any, logprobs: Any) -> Any:
        gradients = [-np.ones_like(one) for one in logprobs]
        return -sum(float(one.sum()) for one in logprobs), {}, gradients

    def program() -> tuple[Any, str]:
        with client(server) as service:
            training = new(service, journal)
            results: list[Any] = [training.forward(BATCH, "cross_entropy")]
            results.append(training.forward_backward_custom(BATCH, tinker.NumpyLoss(loss)))
            results.append(training.optim_step(ADAM))
            results.append(training.save_state("end"))
            sampler = training.save_weights_and_get_sampling_client().result(60)
            prompt = tinker.ModelInput.from_ints(list(b"one"))
            results.append(sampler.sample(prompt, 1, tinker.SamplingParams(max_tokens=4)))
            results = [plain(result.result(60)) for result in results]
            return results, training.model_id

    first = program()
    size = journal.stat().st_size
    assert program() == first
    assert journal.stat().st_size == size
    with client(server) as service:
        assert step(service.reattach_training_client(first[1]).result(60))


def test_loops_go_on_where_they_were(server: str, journal: Path, undisturbed: list[Any]) -> None:
    def program(end: int) -> list[Any]:
        with client(server) as service:
            training = new(service, journal)
            found = []
            for number in training.steps(2):
                found.append(step(training))
                if number == end:
                    raise KeyboardInterrupt
            return found + [step(training) for _ in training.steps(1)]

    with pytest.raises(KeyboardInterrupt):
        program(1)
    assert program(-1) == undisturbed[1:]  # the second step was not over; its results are there
    assert program(-1) == []


def test_a_server_that_has_lost_its_last_operations_gets_them_again(
    tmp_path: Path, journal: Path
) -> None:
    """A power cut takes what was not on the server's disk yet: here, its folder is what it was two steps before."""
    data, before = tmp_path / "data", tmp_path / "before"

    def program(until: int, path: Path | None = journal) -> tuple[int | None, list[Any]]:
        found, operations = [], None
        with (
            LocalServer(data) as server,
            contextlib.suppress(KeyboardInterrupt),
            client(server.url) as service,
        ):
            training = new(service, path)
            for number in training.steps(5):
                found.append((number, step(training)))
                if number == until:
                    raise KeyboardInterrupt
            operations = training.get_info().last_seq_id
        return operations, found

    undisturbed = program(9, None)
    assert undisturbed[0] == 10
    assert program(1)[1] == undisturbed[1][:2]
    shutil.copytree(data, before)
    assert program(3)[1] == undisturbed[1][1:4]
    shutil.rmtree(data)
    shutil.copytree(before, data)
    assert program(9) == (undisturbed[0], undisturbed[1][2:])


def test_loops_inside_of_loops(server: str, journal: Path) -> None:
    """Each process makes three calls, and is gone in the middle of a step."""

    def program(calls: int) -> list[tuple[Any, ...]]:
        made: list[tuple[Any, ...]] = []

        def call(*place: Any) -> None:
            if len(made) == calls:
                raise KeyboardInterrupt
            made.append(place)
            training.optim_step(ADAM).result(60)

        with contextlib.suppress(KeyboardInterrupt), client(server) as service:
            training = new(service, journal)
            for epoch in training.steps(3):
                call(epoch, "begin")
                for number in training.steps(2):
                    call(epoch, number, "a")
                    call(epoch, number, "b")
                call(epoch, "end")
            for _ in training.steps(1):
                call("last")
        return made

    made = [program(3) for _ in range(10)]
    expected: list[list[tuple[Any, ...]]] = []
    for epoch in range(3):
        begin = (epoch, "begin")
        expected += [[begin, (epoch, n, "a"), (epoch, n, "b")] for n in range(2)]
        then: tuple[Any, ...] = (epoch + 1, "begin") if epoch < 2 else ("last",)
        expected.append([begin, (epoch, "end"), then])
    assert made == [*expected, []]
    model_id = orjson.loads(journal.read_bytes().partition(b"\n")[0])["run"]["run_id"]
    with Raw(server) as raw:
        assert raw.post("get_info", {"model_id": model_id})["next_seq_id"] == 3 * 6 + 2


def test_results_are_read_again_when_the_server_has_forgotten_them(
    tmp_path: Path, journal: Path
) -> None:
    """A step that was cut short is taken again long after its results were read."""
    clock = Clock()
    with LocalServer(tmp_path / "data", options=Options(clock=clock)) as server:

        def program(until: int) -> list[Any]:
            found = []
            with contextlib.suppress(KeyboardInterrupt), client(server.url) as service:
                training = new(service, journal)
                for number in training.steps(2):
                    found.append(step(training))
                    if number == until:
                        raise KeyboardInterrupt
            return found

        (first,) = program(0)
        clock.forward(7200)  # an hour after it was read, a result is gone
        again = program(2)
        assert again[0] == first
        assert program(2) == []
    assert list(journal.with_name("journal.results").iterdir()) == []


def test_without_a_journal_steps_are_a_range(server: str) -> None:
    with client(server) as service:
        training = new(service)
        assert list(training.steps(3)) == [0, 1, 2]
        with pytest.raises(ValueError, match="count is -1"):
            training.steps(-1)


def test_another_program_is_refused_and_nothing_is_sent(server: str, journal: Path) -> None:
    with client(server) as service:
        training = new(service, journal)
        step(training)
    with client(server) as service:
        training = new(service, journal)
        with pytest.raises(tinker.JournalError, match="Call 0 of the run is forward_backward"):
            training.optim_step(ADAM).result(60)
        with pytest.raises(tinker.JournalError, match="Call 0"):
            training.save_state("late").result(60)
    with Raw(server) as raw:
        assert raw.post("get_info", {"model_id": training.model_id})["next_seq_id"] == 3


def test_another_run_and_another_client_are_refused(server: str, journal: Path) -> None:
    with client(server) as service:
        training, other = new(service, journal), new(service)
        with pytest.raises(tinker.JournalError, match="in use by another process or client"):
            new(service, journal)
    with client(server) as service:
        with pytest.raises(tinker.JournalError, match="run with rank=2, not 32"):
            service.create_lora_training_client(MODEL, seed=7, journal=journal)
        with pytest.raises(tinker.JournalError, match="is the journal of .* not of"):
            service.reattach_training_client(other.model_id, journal=journal).result(60)
        service.reattach_training_client(training.model_id, journal=journal).result(60)


def test_a_run_that_another_program_has_gone_on_with(server: str, journal: Path) -> None:
    with client(server) as service:
        training = new(service, journal)
        step(training)
    with client(server) as service:
        service.reattach_training_client(training.model_id).result(60).optim_step(ADAM).result(60)
        with pytest.raises(tinker.JournalError, match="is at seq_id 3, .* ends at 2"):
            new(service, journal)


def test_two_programs_that_use_one_run(server: str) -> None:
    with client(server) as service, client(server) as other_service:
        training = new(service)
        other = other_service.reattach_training_client(training.model_id).result(60)
        other.optim_step(ADAM).result(60)
        with pytest.raises(tinker.ConflictError, match="seq_id 1 .* used by a different request"):
            training.forward_backward(BATCH, "cross_entropy").result(60)
        with pytest.raises(tinker.RunPoisonedError, match="another program has used its seq_id 1"):
            training.optim_step(ADAM)  # the same as the other program's: it would get its result
        step(other)


def test_a_run_that_the_server_has_forgotten(tmp_path: Path, journal: Path) -> None:
    with LocalServer(tmp_path / "one") as server, client(server.url) as service:
        path = new(service, journal).save_state("last").result(60).path
    with LocalServer(tmp_path / "two") as server, client(server.url) as service:
        with pytest.raises(
            tinker.RunLostError, match=f"Go on from its last checkpoint, {path}"
        ) as lost:
            new(service, journal)
        assert lost.value.checkpoint == path


@pytest.mark.parametrize("fault", ["502 page after", "502 page before"])
def test_what_nobody_knows_is_found_out(server: str, journal: Path, fault: str) -> None:
    """The server may have accepted a request whose responses were all lost."""

    def program(url: str, attempts: int | None) -> Any:
        policy = tinker.RetryPolicy(attempts=attempts)
        with tinker.ServiceClient(base_url=url, api_key=KEY, retry=policy) as service:
            training = new(service, journal)
            passed = training.forward_backward(BATCH, "cross_entropy")
            stepped = training.optim_step(ADAM)
            passed.result(60)
            if attempts:
                with pytest.raises(tinker.APIError) as failed:
                    stepped.result(60)
                assert failed.value.outcome_unknown
                with pytest.raises(tinker.RunPoisonedError, match=f"Run the program .* {journal}"):
                    training.optim_step(ADAM).result(60)
                return None
            stepped.result(60)
            return step(training), training.model_id

    with FaultProxy(server) as proxy:
        proxy.spoil(at("optim_step", 0, [FAULTS[fault]]))
        program(proxy.url, attempts=1)
    found, model_id = program(server, attempts=None)
    with client(server) as service:
        expected = new(service)
        step(expected)
        assert found == step(expected)
    with Raw(server) as raw:
        assert raw.post("get_info", {"model_id": model_id})["next_seq_id"] == 5


def test_it_goes_on_from_the_last_checkpoint_at_the_step_that_follows(
    tmp_path: Path, journal: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    forgotten: set[str] = set()
    get_info = handlers.get_info

    async def forgetful(backend: Any, call: Any) -> dict[str, Any]:
        if call.body["model_id"] in forgotten:
            raise Refusal(404, "Unknown model_id")
        return await get_info(backend, call)

    monkeypatch.setattr(handlers, "get_info", forgetful)

    def program(url: str, until: int, path: Path | None = journal) -> tuple[str, list[Any]]:
        found = []
        with contextlib.suppress(KeyboardInterrupt), client(url) as service:
            training = new(service, path)
            training.save_state("begin").result(60)
            for number in training.steps(5):
                found.append((number, step(training)))
                if number % 2:
                    training.save_state(f"{number}").result(60)
                if number == until:
                    raise KeyboardInterrupt
        return training.model_id, found

    with LocalServer(tmp_path / "data") as server:
        _, undisturbed = program(server.url, 9, None)
        lost, first = program(server.url, 2)
        assert first == undisturbed[:3]
        forgotten.add(lost)
        again, then = program(server.url, 3)
        assert again != lost
        assert then == undisturbed[2:4]  # the last checkpoint was saved after step 1
        assert f"does not know the training run {lost} any more: going on from" in caplog.text
        forgotten.add(again)
        third, last = program(server.url, 9)
        assert third != again
        # The step that has saved it was not over, and so it is not known to be: the one before it is.
        assert last == undisturbed[2:]
        forgotten.add(third)
        fourth, nothing = program(server.url, 9)
        assert (fourth != third, nothing) == (True, undisturbed[4:])


def test_a_checkpoint_that_is_gone_too_is_named_with_the_reason(
    tmp_path: Path, journal: Path
) -> None:
    def program(url: str) -> None:
        with client(url) as service:
            training = new(service, journal)
            for number in training.steps(2):
                step(training)
                training.save_state(f"{number}").result(60)

    with LocalServer(tmp_path / "one") as server:
        program(server.url)
    with LocalServer(tmp_path / "another") as server, pytest.raises(tinker.RunLostError) as lost:
        program(server.url)
    (note,) = lost.value.__notes__
    assert re.fullmatch(r"Its checkpoint tinker://\S+/weights/1 cannot be loaded: .*404.*", note)


@pytest.mark.parametrize("with_journal", [True, False])
def test_a_server_that_fails_for_a_run_that_it_has_lost(tmp_path: Path, with_journal: bool) -> None:
    """As TuFT does after it was started again: the error says how to go on."""
    path = "tinker://s:train:0/weights/last"
    journal = tmp_path / "run.journal" if with_journal else None
    policy = tinker.RetryPolicy(attempts=1)
    saved = {"checkpoint_id": "weights/last", "checkpoint_type": "training", "tinker_path": path,
             "time": "2026-01-01T00:00:00Z", "size_bytes": 1, "public": False}  # fmt: skip
    with ScriptedServer() as server:
        service = tinker.ServiceClient(base_url=server.url, retry=policy)
        service.create_lora_training_client("m", journal=journal).result(10)
        service.close().result(10)
        server.script(
            get_info=[(500, {"detail": "KeyError"})],
            checkpoints=[(200, {"checkpoints": [saved], "cursor": None})],
        )
        with (
            tinker.ServiceClient(base_url=server.url, retry=policy) as service,
            pytest.raises(tinker.InternalServerError, match="KeyError") as failed,
        ):
            service.reattach_training_client("s:train:0", journal=journal).result(10)
    argument = f", journal={str(tmp_path / 'run-2.journal')!r}" if with_journal else ""
    assert failed.value.__notes__ == [
        "If the server has lost the training run s:train:0, go on from its last checkpoint: "
        f"service.create_training_client_from_state_with_optimizer('{path}'{argument})"
    ]


def test_a_mended_call_takes_the_place_of_one_that_was_refused(journal: Path) -> None:
    stepped: Any = {"type": "optim_step", "metrics": {}}
    with ScriptedServer() as server:
        with client(server.url) as service:
            training = service.create_lora_training_client("m", journal=journal).result(10)
            server.script(optim_step=[(400, {"detail": "too fast"})])
            with pytest.raises(tinker.BadRequestError):
                training.optim_step(ADAM).result(10)
        server.script(optim_step=[(200, {"request_id": "r"})], retrieve_future=[(200, stepped)])
        with client(server.url) as service:
            training = service.create_lora_training_client("m", journal=journal).result(10)
            training.optim_step(tinker.AdamParams(learning_rate=1e-6)).result(10)
        assert [request["seq_id"] for request in server.seen["optim_step"]] == [1, 1]


def test_the_session_ends_with_the_process_that_ends_the_run(server: str, journal: Path) -> None:
    with client(server) as service:
        training = new(service, journal)
        session_id = training.model_id.partition(":")[0]
        service.session._to_finish.clear()
        service.session._is_ours = False  # as if it was killed
    with client(server) as service:
        new(service, journal)
        rest = service.create_rest_client()
        request = tinker.types.SessionSearchRequest(session_id=session_id)
        (before,) = rest.search_sessions(request).result(60).sessions
    with tinker.RestClient(base_url=server, api_key=KEY) as rest:
        (after,) = rest.search_sessions(request).result(60).sessions
    assert before.status is not None
    assert after.status is not None
    assert (before.status.type, after.status.type) == ("active", "client_finished")


# ---- from a checkpoint -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def saved(server: str) -> Iterator[tuple[tinker.ServiceClient, list[str], list[str]]]:
    """Two runs of a session with checkpoints in turn: their ids, and the paths, oldest first."""
    with client(server) as service:
        one, two = new(service), new(service)
        paths = [
            training.save_state(name, user_metadata={"turn": name, "all": "yes"}).result(60).path
            for name, training in (("a", one), ("b", two), ("c", one))
        ]
        two.save_weights_for_sampler("d", user_metadata={"turn": "b"}).result(60)
        yield service, [one.model_id, two.model_id], paths


def test_the_latest_checkpoint(
    saved: tuple[tinker.ServiceClient, list[str], list[str]],
) -> None:
    service, (one, two), (a, b, c) = saved
    session_id = one.partition(":")[0]

    def path(*run: str, **arguments: Any) -> str | None:
        found = service.latest_checkpoint(*run, **arguments).result(60)
        return None if found is None else found.tinker_path

    assert (path(one), path(two)) == (c, b)
    assert path(two, checkpoint_type=None) == path(two, checkpoint_type="sampler") != b
    assert path(one, checkpoint_type="sampler") is None
    assert path(session_id=session_id) == c
    assert path(user_metadata={"all": "yes"}) == c
    assert path(user_metadata={"turn": "a", "all": "yes"}) == a
    assert path(user_metadata={"turn": "z"}) is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "exactly one of training_run_id, session_id and user_metadata"),
        ({"training_run_id": "r", "session_id": "s"}, "exactly one"),
        ({"session_id": "s", "checkpoint_type": "other"}, "checkpoint_type is 'other'; it must be"),
    ],
)
def test_the_latest_checkpoint_of_what(server: str, arguments: Any, message: str) -> None:
    with client(server) as service, pytest.raises(ValueError, match=message):
        service.latest_checkpoint(**arguments)


def test_a_server_without_a_search_is_read_through() -> None:
    def checkpoint(name: str, **metadata: str) -> dict[str, Any]:
        return {
            "checkpoint_id": f"weights/{name}", "checkpoint_type": "training",
            "time": "2026-01-02T03:04:05Z", "tinker_path": f"tinker://r/weights/{name}",
            "user_metadata": metadata,
        }  # fmt: skip

    listed = [checkpoint("c"), checkpoint("b", turn="1"), checkpoint("a", turn="1")]
    answers: Any = {"checkpoints": [(200, {"checkpoints": listed})]}
    with ScriptedServer(**answers) as server, client(server.url) as service:
        found = service.latest_checkpoint(user_metadata={"turn": "1"}).result(10)
    assert found is not None
    assert found.tinker_path == "tinker://r/weights/b"
