"""Clones of a sampling client: in the same process and in others, each with numbers of its own and no credentials."""

from __future__ import annotations

import base64
import copy
import json
import multiprocessing
import pickle
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import pytest

import tinker
from tests.support.sampling_server import SamplingServer
from tinker._protocol import liveness
from tinker.retry_config import RetryConfig

ONE = tinker.SamplingParams(max_tokens=1)
CLONE_BLOCK = 10**9


def tokens(client: tinker.SamplingClient, numbers: range) -> list[list[int]]:
    """What a client samples: each prompt itself."""
    samples = [client.sample(tinker.ModelInput.from_ints([n]), 1, ONE) for n in numbers]
    return [list(sample.result(timeout=30).sequences[0].tokens) for sample in samples]


def tokens_by_handle(handle: str, numbers: range) -> list[list[int]]:
    return tokens(tinker.SamplingClient.from_sampler_handle(handle), numbers)


def blocks(server: SamplingServer) -> list[int]:
    """The ids of the clients that have sampled."""
    return sorted({seq_id // CLONE_BLOCK for seq_id in server.sampled})


CLONINGS: list[Callable[[tinker.SamplingClient], tinker.SamplingClient]] = [
    *(lambda client, n=n: pickle.loads(pickle.dumps(client, n)) for n in range(2, 6)),
    copy.copy,
    copy.deepcopy,
    lambda client: tinker.SamplingClient.from_sampler_handle(client.get_sampler_handle()),
]


@pytest.mark.parametrize("feed", [False, True])
@pytest.mark.parametrize("clone", CLONINGS)
def test_a_clone_numbers_its_samples_on_its_own(
    clone: Callable[[tinker.SamplingClient], tinker.SamplingClient], feed: bool
) -> None:
    with SamplingServer(feed=feed) as server:
        client = server.sampler()
        assert tokens(client, range(3)) == [[0], [1], [2]]
        one, other = clone(client), clone(client)
        assert one.get_base_model() == "tinker-local/tiny"
        for n, each in enumerate((one, other, client, clone(one))):
            numbers = range(10 * n, 10 * n + 5)
            assert tokens(each, numbers) == [[m] for m in numbers]
        assert len(blocks(server)) == 4
        if feed:
            targets = {
                r["target"].get("cloned_sampler_id", 0) for r in server.requests["retrieve_futures"]
            }
            assert sorted(targets) == blocks(server)
        # They share the session, and what it knows about the server.
        assert one.holder is client.holder
    assert (
        len(server.requests["create_session"])
        == len(server.requests["create_sampling_session"])
        == 1
    )
    assert len(server.requests["config"]) == 1


def test_the_server_numbers_clones_if_it_wants_to() -> None:
    with SamplingServer(config={"sample_join_sampling_session": True}) as server:
        client = server.sampler()
        for n in range(3):
            tokens(copy.copy(client), range(n, n + 1))
        assert blocks(server) == [1, 2, 3]
        assert [r["sampling_session_id"] for r in server.requests["join_sampling_session"]] == [
            "s:sample:0"
        ] * 3


def test_a_server_that_cannot_number_clones_does_not_have_to() -> None:
    with SamplingServer(config={"sample_join_sampling_session": True}) as server:
        del server.routes["join_sampling_session"]
        assert tokens(copy.copy(server.sampler()), range(2)) == [[0], [1]]
        (clone_id,) = blocks(server)
        assert 1 <= clone_id <= CLONE_BLOCK


def test_thousands_of_samples_of_one_clone_join_once() -> None:
    with SamplingServer(config={"sample_join_sampling_session": True}) as server:
        clone = copy.copy(server.sampler())
        assert len(tokens(clone, range(300))) == 300
        assert len(server.requests["join_sampling_session"]) == 1


@pytest.mark.parametrize("feed", [False, True])
@pytest.mark.parametrize("method", ["spawn", "fork", "forkserver"])
def test_worker_processes_sample_with_clones(method: str, feed: bool) -> None:
    """Whether pickled or named by its handle; and the session is the parent's to end."""
    context = multiprocessing.get_context(method)
    with SamplingServer(feed=feed) as server:
        client = server.sampler()
        with ProcessPoolExecutor(2, mp_context=context) as pool:
            mine = pool.submit(tokens, client, range(20))
            theirs = pool.submit(tokens_by_handle, client.get_sampler_handle(), range(20, 40))
            assert tokens(client, range(40, 60)) == [[n] for n in range(40, 60)]
            assert mine.result(timeout=60) == [[n] for n in range(20)]
            assert theirs.result(timeout=60) == [[n] for n in range(20, 40)]
        assert len(blocks(server)) == 3
        assert server.requests["finish"] == []
    assert len(server.sampled) == 60
    assert len(server.requests["create_session"]) == len(server.requests["finish"]) == 1


def test_a_client_inherited_by_fork_is_a_clone() -> None:
    context = multiprocessing.get_context("fork")
    with SamplingServer(config={"sample_max_concurrent_requests": 4}, per_tick=0) as server:
        client = server.sampler()
        parents = [client.sample(tinker.ModelInput.from_ints([n]), 1, ONE) for n in range(4)]
        server.wait_until(lambda: len(server.sampled) == 4)
        receiver, sender = context.Pipe(duplex=False)
        # As many samples as may be are in flight at the fork: they are none of the child's.
        child = context.Process(target=lambda: sender.send(tokens(client, range(10, 13))))
        child.start()
        server.wait_until(lambda: len(server.sampled) == 7)
        server.finish(7)
        assert receiver.poll(30)
        assert receiver.recv() == [[10], [11], [12]]
        child.join(30)
        assert child.exitcode == 0
        assert [p.result(timeout=10).sequences[0].tokens for p in parents] == [[0], [1], [2], [3]]
        assert server.requests["finish"] == []
        assert len(blocks(server)) == 2


def test_a_clone_with_another_credential_keeps_the_session_alive_and_does_not_end_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(liveness, "HEARTBEAT_INTERVAL", 0.01)
    with SamplingServer() as server:
        client = server.sampler()
        handle = client.get_sampler_handle()
        clone = tinker.SamplingClient.from_sampler_handle(handle, api_key="tml-other")
        assert tokens(clone, range(2)) == [[0], [1]]
        client.holder._heartbeat.cancel()  # type: ignore[union-attr]
        beats = len(server.requests["session_heartbeat"])
        server.wait_until(lambda: len(server.requests["session_heartbeat"]) > beats + 3)
        assert {b["session_id"] for b in server.requests["session_heartbeat"]} == {"s"}
        again = tinker.SamplingClient.from_sampler_handle(handle, api_key="tml-other")
        assert again.holder is clone.holder
        assert again.holder is not client.holder
        clone.holder.close().result(timeout=10)
        assert server.requests["finish"] == []


def test_no_credential_is_in_a_pickle_or_a_handle() -> None:
    secrets = {
        "Authorization": "Bearer SECRET",
        "X-Session-Cookie": "SECRET",
        "CF-Access-Client-Id": "SECRET",
    }
    with (
        SamplingServer() as server,
        tinker.ServiceClient(
            base_url=server.url,
            api_key="tml-SECRET",
            default_headers_overrides={**secrets, "X-Route": "blue"},
        ) as service,
    ):
        client = service.create_sampling_client(base_model="m").result(timeout=10)
        handle = client.get_sampler_handle()
        place = base64.urlsafe_b64decode(handle)
        assert b"SECRET" not in pickle.dumps(client) + place
        assert json.loads(place)["headers"] == {"X-Route": "blue"}


def test_where_there_is_no_credential_the_error_says_so() -> None:
    place = {
        "base_url": "https://tinker.invalid", "headers": {}, "session_id": "s",
        "sampling_session_id": "s:sample:0", "base_model": "m",
    }  # fmt: skip
    handle = base64.urlsafe_b64encode(json.dumps(place).encode()).decode()
    with pytest.raises(
        tinker.TinkerError, match="No API key for https://tinker.invalid: set TINKER_A"
    ):
        tinker.SamplingClient.from_sampler_handle(handle)
    client = tinker.SamplingClient.from_sampler_handle(handle, api_key="tml-given")
    assert client.get_base_model() == "m"


@pytest.mark.parametrize("handle", ["", "x", "bm90IGpzb24=", "e30=", "W10=", "gANYAQ==", "é"])
def test_an_invalid_handle_is_rejected(handle: str) -> None:
    with pytest.raises(ValueError, match=r"must be what get_sampler_handle\(\) has returned"):
        tinker.SamplingClient.from_sampler_handle(handle)


def test_a_pickle_keeps_how_the_client_asks() -> None:
    with SamplingServer() as server:
        config = RetryConfig(max_connections=3, enable_retry_logic=False)
        clone = pickle.loads(pickle.dumps(server.sampler(config)))
        assert clone._retry_config == config


def test_a_sampler_that_is_there_can_be_opened_by_its_id(service: tinker.ServiceClient) -> None:
    made = service.create_sampling_client(base_model="tinker-local/tiny").result(timeout=60)
    again = tinker.SamplingClient.create(
        service.holder, sampling_session_id=made.sampling_session_id
    )
    assert again.result(timeout=60).get_base_model() == "tinker-local/tiny"
    path = "tinker://a/weights/b"
    both = {"sampling_session_id": made.sampling_session_id, "model_path": path}
    for wrong in list[Any]([{}, both]):
        with pytest.raises(ValueError, match="Give "):
            tinker.SamplingClient.create(service.holder, **wrong)
    with pytest.raises(ValueError, match="base_model is ''; it must be a non-empty string"):
        tinker.SamplingClient.create(service.holder, base_model="", model_path=path)


def test_clones_on_the_embedded_server(service: tinker.ServiceClient) -> None:
    client = service.create_sampling_client(base_model="tinker-local/tiny").result(timeout=60)
    prompt, params = (
        tinker.ModelInput.from_ints([1, 2, 3]),
        tinker.SamplingParams(max_tokens=4, seed=1),
    )
    samples: list[Any] = [
        each.sample(prompt, 1, params).result(timeout=60).sequences[0]
        for each in (client, copy.copy(client), pickle.loads(pickle.dumps(client)))
    ]
    assert len({tuple(sample.tokens) for sample in samples}) == 1
    assert len({sample.sequence_id for sample in samples}) == 3
