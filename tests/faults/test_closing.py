"""`close()` with operations under way: each fails with one sentence or is waited for; nothing new begins or stays open."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import tinker
from tests.support.scripted_server import Answer, ScriptedServer

DATUM = tinker.Datum(tinker.ModelInput.from_ints([1, 2, 3]))
PENDING = {"type": "try_again", "request_id": "r", "queue_state": "active"}


class Pending(ScriptedServer):
    """Answers polls with "try again" until it is told to let go; `polled` is set with the first such poll."""

    def __init__(self, **answers: list[Answer]) -> None:
        super().__init__(**answers)
        self.polled, self.let_go = threading.Event(), threading.Event()

    def answer(self, operation: str, content: bytes, headers: dict[str, str]) -> Answer:
        if operation == "retrieve_future" and json.loads(content)["request_id"] == "s:train:0:1":
            super().answer(operation, content, headers)
            self.polled.set()
            if not self.let_go.wait(0.05):
                return 200, PENDING
            return 200, {"type": "optim_step", "metrics": {"a": 1.0}}
        return super().answer(operation, content, headers)


@pytest.fixture
def pending() -> Iterator[Pending]:
    with Pending() as server:
        yield server


def connections() -> int:
    gc.collect()
    return sum(
        os.readlink(f"/proc/self/fd/{fd}").startswith("socket:")
        for fd in os.listdir("/proc/self/fd")
        if os.path.exists(f"/proc/self/fd/{fd}")
    )


def test_pending_operations_fail_with_one_sentence(pending: Pending) -> None:
    service = tinker.ServiceClient(base_url=pending.url)
    training = service.create_lora_training_client("m").result(timeout=10)
    futures = [training.optim_step() for _ in range(3)]
    assert pending.polled.wait(10)
    service.close().result(timeout=10)
    for future in futures:
        with pytest.raises(
            tinker.TinkerError, match=r"^optim_step \(model_id=s:train:0.*closed\.$"
        ):
            future.result(timeout=0)
    polls = len(pending.seen["retrieve_future"])
    assert len(pending.seen["finish"]) == 1
    with pytest.raises(tinker.TinkerError, match="closed"):
        training.optim_step()
    assert len(pending.seen["retrieve_future"]) == polls


def test_pending_operations_are_waited_for(pending: Pending) -> None:
    service = tinker.ServiceClient(base_url=pending.url)
    training = service.create_lora_training_client("m").result(timeout=10)
    future = training.optim_step()
    assert pending.polled.wait(10)
    closing = service.close(wait=True)
    with pytest.raises(tinker.TinkerError, match="closed"):
        training.optim_step()
    assert not pending.seen["finish"]
    pending.let_go.set()
    closing.result(timeout=10)
    assert future.result(timeout=0).metrics == {"a": 1.0}
    assert [f["reason"] for f in pending.seen["finish"]] == [{"type": "success"}]
    assert len(pending.seen["optim_step"]) == 1


def test_a_second_close_does_not_wait(pending: Pending) -> None:
    service = tinker.ServiceClient(base_url=pending.url)
    future = service.create_lora_training_client("m").result(timeout=10).optim_step()
    assert pending.polled.wait(10)
    closing = service.close(wait=True)
    service.close("errored").result(timeout=10)
    closing.result(timeout=10)
    with pytest.raises(tinker.TinkerError, match="closed"):
        future.result(timeout=0)
    assert [f["reason"] for f in pending.seen["finish"]] == [{"type": "errored"}]


def test_a_block_waits_unless_it_fails(pending: Pending) -> None:
    with (
        pytest.raises(ValueError, match="mine"),
        tinker.ServiceClient(base_url=pending.url) as service,
    ):
        future = service.create_lora_training_client("m").result(timeout=10).optim_step()
        assert pending.polled.wait(10)
        raise ValueError("mine")
    with pytest.raises(tinker.TinkerError, match="closed"):
        future.result(timeout=0)
    with tinker.ServiceClient(base_url=pending.url) as service:
        future = service.create_lora_training_client("m").result(timeout=10).optim_step()
        pending.let_go.set()
    assert future.result(timeout=0).metrics == {"a": 1.0}


def test_an_async_block(pending: Pending) -> None:
    asyncio.run(_async_block(pending))


async def _async_block(pending: Pending) -> None:
    async with tinker.ServiceClient(base_url=pending.url) as service:
        training = await service.create_lora_training_client("m")
        future = training.optim_step()
        pending.let_go.set()
    assert (await future).metrics == {"a": 1.0}
    assert [f["reason"] for f in pending.seen["finish"]] == [{"type": "success"}]
    with pytest.raises(ValueError, match="mine"):
        async with tinker.ServiceClient(base_url=pending.url) as service:
            await service.create_lora_training_client("m")
            raise ValueError("mine")
    assert pending.seen["finish"][-1]["reason"] == {"type": "errored"}


PARAMS = tinker.SamplingParams(max_tokens=1)
PROMPT = tinker.ModelInput.from_ints([1])
CALLS: dict[str, Callable[[dict[str, Any]], object]] = {
    "create_lora_training_client": lambda c: c["service"].create_lora_training_client("m"),
    "create_training_client_from_state": lambda c: c["service"].create_training_client_from_state("tinker://a/weights/b"),
    "create_sampling_client": lambda c: c["service"].create_sampling_client(base_model="m"),
    "get_server_capabilities": lambda c: c["service"].get_server_capabilities(),
    "copy_weights": lambda c: c["service"].copy_weights("tinker://a/weights/b"),
    "forward_backward": lambda c: c["training"].forward_backward([DATUM], "cross_entropy"),
    "forward_backward_custom": lambda c: c["training"].forward_backward_custom([DATUM], tinker.NumpyLoss(lambda d, lp: (0.0, {}, lp))),
    "optim_step": lambda c: c["training"].optim_step(),
    "save_state": lambda c: c["training"].save_state("a"),
    "save_weights_and_get_sampling_client": lambda c: c["training"].save_weights_and_get_sampling_client(),
    "get_info": lambda c: c["training"].get_info(),
    "sample": lambda c: c["sampler"].sample(PROMPT, 1, PARAMS),
    "sample_stream": lambda c: c["sampler"].sample_stream(PROMPT, PARAMS),
    "compute_logprobs": lambda c: c["sampler"].compute_logprobs(PROMPT),
    "rest": lambda c: c["rest"].list_sessions(),
    "rest, all": lambda c: list(c["rest"].iter_sessions()),
    "rest, delete": lambda c: c["rest"].delete_checkpoint_from_tinker_path("tinker://a/weights/b"),
    "audit log": lambda c: c["rest"].get_audit_log(),
}  # fmt: skip


def test_every_new_call_is_refused_and_nothing_is_left_open(server: ScriptedServer) -> None:
    # Once before, so that what the process keeps (its loop, the modules) is there.
    tinker.ServiceClient(base_url=server.url).create_lora_training_client("m").result(10)
    before = connections()
    service = tinker.ServiceClient(base_url=server.url)
    clients: dict[str, Any] = {
        "service": service,
        "training": service.create_lora_training_client("m").result(timeout=10),
        "sampler": service.create_sampling_client(base_model="m").result(timeout=10),
        "rest": service.create_rest_client(),
    }
    service.close().result(timeout=10)
    seen = {operation: len(bodies) for operation, bodies in server.seen.items()}
    for name, call in CALLS.items():
        with pytest.raises(
            tinker.TinkerError, match="The client is closed: create a new"
        ) as refused:
            call(clients)
        assert "\n" not in str(refused.value), name
    assert {operation: len(bodies) for operation, bodies in server.seen.items()} == seen
    assert connections() <= before


def test_creating_a_client_while_closing_leaves_no_session_open() -> None:
    opening, let_go = threading.Event(), threading.Event()

    class Slow(ScriptedServer):
        def answer(self, operation: str, content: bytes, headers: dict[str, str]) -> Answer:
            if operation == "create_session":
                opening.set()
                assert let_go.wait(10)
            return super().answer(operation, content, headers)

    with Slow() as server:
        service = tinker.ServiceClient(base_url=server.url)
        future = service.create_lora_training_client("m")
        assert opening.wait(10)
        closing = service.close()
        let_go.set()
        closing.result(timeout=10)
        with pytest.raises(tinker.TinkerError, match=r"^create_model \(base_model=m\) .*closed\.$"):
            future.result(timeout=0)
        assert len(server.seen["create_session"]) == len(server.seen["finish"]) == 1
        assert not server.seen["create_model"]


def test_what_was_not_sent_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    held, let_go = threading.Event(), threading.Event()

    class Holding(ScriptedServer):
        def answer(self, operation: str, content: bytes, headers: dict[str, str]) -> Answer:
            if operation == "optim_step":
                held.set()
                assert let_go.wait(10)
            return super().answer(operation, content, headers)

    with Holding() as server, caplog.at_level(logging.WARNING, "tinker"):
        service = tinker.ServiceClient(base_url=server.url)
        training = service.create_lora_training_client("m").result(timeout=10)
        training.optim_step()
        training.save_state("a")
        assert held.wait(10)
        service.close().result(timeout=10)
        let_go.set()
    (line,) = caplog.messages
    assert "optim_step (model_id=s:train:0, seq_id=1), save_weights (model_id=s:train:0)" in line
    assert not server.seen["save_weights"]


EXIT = """
import tinker
service = tinker.ServiceClient(api_key="tml-x")
training = service.create_lora_training_client("m").result(timeout=10)
"""


def run(script: str, server: ScriptedServer) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", EXIT + script],
        env={**os.environ, "TINKER_BASE_URL": server.url},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_at_exit_what_was_never_sent_is_reported_and_the_session_is_not_a_success() -> None:
    with ScriptedServer(optim_step=[(503, {"detail": "later"})]) as server:
        result = run("training.optim_step(); training.save_state('last')", server)
    (line,) = result.stderr.splitlines()
    assert "save_weights (model_id=s:train:0)" in line
    assert not server.seen["save_weights"]
    (finish,) = server.seen["finish"]
    assert finish["reason"] == {"type": "interrupted"}
    assert "save_weights" in finish["detail"]


def test_at_exit_what_was_accepted_is_a_success(pending: Pending) -> None:
    script = """
import threading
accepted = threading.Event()
service.observe(lambda event: isinstance(event, tinker.events.Poll) and accepted.set())
training.optim_step()
accepted.wait(30)
"""
    result = run(script, pending)
    assert (result.returncode, result.stderr) == (0, "")
    assert [f["reason"] for f in pending.seen["finish"]] == [{"type": "success"}]


def test_a_waiting_task_ends_with_the_client(pending: Pending) -> None:
    async def main() -> None:
        service = tinker.ServiceClient(base_url=pending.url)
        training = await service.create_lora_training_client("m")

        async def step() -> None:
            await training.optim_step()

        task = asyncio.create_task(step())
        await asyncio.to_thread(pending.polled.wait, 10)
        await service.close()
        with pytest.raises(tinker.TinkerError, match="closed"):
            await task

    asyncio.run(main())
