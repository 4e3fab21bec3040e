"""After a fork: what cannot go on in the child fails there at once and says what to do; the parent goes on untouched."""

from __future__ import annotations

import asyncio
import concurrent.futures
import json
import os
import pickle
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import tinker
from tests.support.sampling_server import SamplingServer
from tests.support.scripted_server import ScriptedServer

DATUM = tinker.Datum(tinker.ModelInput.from_ints([1, 2, 3]))
PENDING = {"type": "try_again", "request_id": "r", "queue_state": "active"}
SECONDS = 20


def in_child(work: Callable[[], Any]) -> tuple[Any, str]:
    """What `work` returns or raises in a forked process, and all that this process writes to stderr, its exit included."""
    read, write = os.pipe()
    with tempfile.TemporaryFile("w+") as stderr:
        child = os.fork()
        if child == 0:
            os.dup2(stderr.fileno(), 2)
            signal.alarm(SECONDS)  # a child that waits for ever is killed
            try:
                outcome = work()
            except BaseException as error:  # noqa: BLE001
                outcome = error
            os.write(write, pickle.dumps(outcome))
            os._exit(0)
        os.close(write)
        with os.fdopen(read, "rb") as pipe:
            content = pipe.read()
        _, status = os.waitpid(child, 0)
        assert status == 0, "the child waited for ever"
        stderr.seek(0)
        return pickle.loads(content), stderr.read()


def refused(work: Callable[[], Any]) -> str:
    outcome, stderr = in_child(work)
    assert isinstance(outcome, tinker.TinkerError), outcome
    assert stderr == ""
    assert "\n" not in str(outcome)
    return str(outcome)


class Optimizer(ScriptedServer):
    """Polls of optim_step are held until `finish`."""

    finished = False

    def answer(self, operation, content, headers):  # type: ignore[no-untyped-def]
        answer = super().answer(operation, content, headers)
        if operation == "retrieve_future" and json.loads(content)["request_id"] == "s:train:0:1":
            return 200, {"type": "optim_step"} if self.finished else PENDING
        return answer


@pytest.fixture
def server() -> Iterator[Optimizer]:
    with Optimizer() as running:
        yield running


CALLS: dict[str, Callable[[tinker.ServiceClient, tinker.TrainingClient], Any]] = {
    "forward_backward": lambda s, t: t.forward_backward([DATUM], "cross_entropy").result(),
    "optim_step": lambda s, t: t.optim_step().result(),
    "save_state": lambda s, t: t.save_state("a").result(),
    "get_info": lambda s, t: t.get_info(),
    "create": lambda s, t: s.create_lora_training_client("m").result(),
    "sampler": lambda s, t: s.create_sampling_client(base_model="m").result(),
    "rest": lambda s, t: s.create_rest_client().list_sessions().result(),
}


@pytest.mark.parametrize("call", CALLS)
def test_a_clients_use_in_a_child_is_refused(call: str, server: Optimizer) -> None:
    with tinker.ServiceClient(base_url=server.url) as service:
        training = service.create_lora_training_client("m").result(timeout=10)
        requests = {operation: len(bodies) for operation, bodies in server.seen.items()}
        text = refused(lambda: CALLS[call](service, training))
        assert f"process {os.getpid()}" in text
        assert "Create a ServiceClient in this process" in text
        assert {operation: len(bodies) for operation, bodies in server.seen.items()} == requests
        server.finished = True
        # The parent's numbers and connections are its own.
        for _ in range(3):
            training.optim_step().result(timeout=10)
    assert [body["seq_id"] for body in server.seen["optim_step"]] == [1, 2, 3]
    assert len(server.seen["create_session"]) == len(server.seen["finish"]) == 1


WAITS: dict[str, Callable[[tinker.APIFuture[Any]], Any]] = {
    "result": lambda future: future.result(),
    "await": lambda future: asyncio.run(future.result_async()),
    "future": lambda future: future.future().result(),
    "as_completed": lambda future: next(concurrent.futures.as_completed([future.future()])).result(),
}  # fmt: skip


@pytest.mark.parametrize("wait", WAITS)
def test_a_pending_future_fails_in_a_child(wait: str, server: Optimizer) -> None:
    with tinker.ServiceClient(base_url=server.url) as service:
        training = service.create_lora_training_client("m").result(timeout=10)
        future = training.optim_step()
        called: list[object] = []
        future.future().add_done_callback(called.append)

        def work() -> Any:
            return WAITS[wait](future), called

        text = refused(work)
        assert text.startswith("optim_step (model_id=s:train:0")
        assert "in the parent process" in text
        assert not called
        server.finished = True
        assert future.result(timeout=10).type == "optim_step"
        assert called == [future.future()]


def test_a_result_that_is_there_is_there_in_a_child(server: Optimizer) -> None:
    server.finished = True
    with tinker.ServiceClient(base_url=server.url) as service:
        future = service.create_lora_training_client("m").result(timeout=10).optim_step()
        future.result(timeout=10)
        assert in_child(lambda: future.result().type) == ("optim_step", "")


def test_a_client_that_was_not_used_may_be_used_in_each_process(server: Optimizer) -> None:
    service = tinker.ServiceClient(base_url=server.url)

    def work() -> str:
        with service:
            return service.create_lora_training_client("m").result(timeout=10).model_id

    assert in_child(work) == ("s:train:0", "")
    assert len(server.seen["finish"]) == 1
    assert work() == "s:train:0"
    assert len(server.seen["create_session"]) == len(server.seen["finish"]) == 2


def test_a_child_does_not_end_the_session_of_its_parent(server: Optimizer) -> None:
    with tinker.ServiceClient(base_url=server.url) as service:
        service.create_lora_training_client("m").result(timeout=10)
        assert in_child(lambda: service.close().result(timeout=10)) == (None, "")
        assert in_child(lambda: service.__exit__(None, None, None)) == (None, "")
        assert not server.seen["finish"]


def test_a_child_that_exits_leaves_the_parent_and_its_log_alone(tmp_path: Path) -> None:
    """The whole of a child's exit, with operations, samples and a stream of the parent under way."""
    script = """
import os, sys, tinker
service = tinker.ServiceClient(base_url="local")
training = service.create_lora_training_client("tinker-local/tiny", rank=4).result(60)
sampler = training.save_weights_and_get_sampling_client().result(60)
prompt = tinker.ModelInput.from_ints([1, 2, 3])
stream = sampler.sample_stream(prompt, tinker.SamplingParams(max_tokens=50, seed=1))
first = next(stream)
steps = [training.optim_step() for _ in range(3)]
sample = sampler.sample(prompt, 1, tinker.SamplingParams(max_tokens=4, seed=1))
child = os.fork()
if child == 0:
    try:
        training.optim_step()
    except tinker.TinkerError:
        print("refused", flush=True)
    again = sampler.sample(prompt, 1, tinker.SamplingParams(max_tokens=4, seed=1)).result(60)
    print(len(again.sequences[0].tokens), flush=True)
    del stream
    sys.exit(0)
_, status = os.waitpid(child, 0)
print(status, [step.result(60).type for step in steps], len(sample.result(60).sequences[0].tokens))
print(sum(event.token_id is not None for event in stream) + 1)
training.optim_step().result(60)
"""
    import subprocess
    import sys

    result = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True, text=True, timeout=100, check=False,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )  # fmt: skip
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.splitlines() == ["refused", "4", f"0 {['optim_step'] * 3} 4", "50"]
    assert list(tmp_path.iterdir()) == []


def test_samples_go_on_in_a_child() -> None:
    with SamplingServer() as server:
        client = server.sampler()
        params = tinker.SamplingParams(max_tokens=1)

        def sample(number: int) -> list[int]:
            response = client.sample(tinker.ModelInput.from_ints([number]), 1, params)
            return list(response.result(timeout=10).sequences[0].tokens)

        assert sample(1) == [1]
        assert in_child(lambda: [sample(2), sample(3)]) == ([[2], [3]], "")
        assert sample(4) == [4]
        assert len(server.sampled) == 4
