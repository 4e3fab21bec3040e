"""The server is killed with kill -9 in the middle of its work and started again on the same folder:
nothing is lost, nothing is done twice, and users of the client notice nothing but the time it takes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tinker
from tests.support.outcomes import assert_equal_checkpoints, datum, plain
from tests.support.raw_client import Raw, Submission, forward_backward, optim_step, sample, save
from tests.support.server_process import ServerProcess
from tinker_local import LocalServer

MODEL = "tinker-local/tiny"
TEXTS = [f"text number {n}, of a length that keeps the engine busy for a moment" for n in range(16)]
STEPS = 6


def train(url: str, at: Callable[[int, list[Any]], None] = lambda step, futures: None) -> list[Any]:
    """A training program, all of it submitted before anything is waited for; `at` is called on the way."""
    with tinker.ServiceClient(base_url=url) as service:
        training = service.create_lora_training_client(MODEL, rank=4, seed=7).result(timeout=60)
        futures: list[tinker.APIFuture[Any]] = []
        for step in range(STEPS):
            batch = [datum(f"{step} {text}") for text in TEXTS]
            futures += [
                training.forward_backward(batch, "cross_entropy"),
                training.optim_step(tinker.AdamParams(learning_rate=5e-3)),
                training.save_state("latest", overwrite=True),
            ]
        futures.append(training.save_weights_for_sampler("final"))
        futures.append(training.save_state("final"))
        for number in range(len(futures)):
            at(number, futures)
        results = [plain(future.result(timeout=100)) for future in futures]
        sampler = training.save_weights_and_get_sampling_client().result(timeout=60)
        params = tinker.SamplingParams(max_tokens=8, seed=3)
        prompt = tinker.ModelInput.from_ints(list(b"text"))
        samples = [sampler.sample(prompt, 2, params) for _ in range(4)]
        at(len(futures), samples)
        return results + [plain(future.result(timeout=60)) for future in samples]


def test_a_client_rides_through(tmp_path: Path) -> None:
    with LocalServer(tmp_path / "undisturbed") as untroubled:
        expected = train(untroubled.url)

    data = tmp_path / "killed"
    servers = [ServerProcess(data)]

    def kill(number: int, futures: list[tinker.APIFuture[Any]]) -> None:
        if number == 0:
            while not futures[1].progress.request_ids:  # type: ignore[union-attr]
                pass  # as soon as there are two promises, while others are on their way
        elif number in (4, 9, 14):
            futures[number].result(timeout=60)  # and all polls behind it are open
        elif number < STEPS * 3 + 2:
            return
        servers[-1].kill()
        servers.append(ServerProcess(data, port=servers[0].port))

    try:
        assert train(servers[0].url, kill) == expected
    finally:
        servers[-1].kill()
    assert len(servers) == 6
    assert_equal_checkpoints(data, tmp_path / "undisturbed")


PROGRAM: list[tuple[str, Submission]] = [
    ("forward_backward", lambda m, n: forward_backward(m, n, *TEXTS)),
    ("optim_step", optim_step),
    ("save_weights", lambda m, n: save(m, n, "a")),
    ("forward_backward", lambda m, n: forward_backward(m, n, *TEXTS[::-1])),
    ("optim_step", optim_step),
    ("save_weights_for_sampler", lambda m, n: save(m, n, "s")),
]


def submit(raw: Raw, model_id: str, number: int) -> dict[str, Any]:
    route, body = PROGRAM[number]
    promise: dict[str, Any] = raw.post(route, body(model_id, number + 1))
    return promise


def results_of(raw: Raw, promises: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The results, without what names the run."""
    results = [raw.result(promise) for promise in promises]
    for saved in (results[2], results[5]):
        saved["path"] = saved["path"].rpartition(":train:")[2]
    return results


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]]]:
    """A server's folder after the program, and the program's results."""
    data = tmp_path_factory.mktemp("undisturbed")
    with LocalServer(data) as running, Raw(running.url) as raw:
        model_id = raw.model()
        return data, results_of(raw, [submit(raw, model_id, n) for n in range(len(PROGRAM))])


@pytest.mark.parametrize("last", [0, 2, 3, 5])
def test_what_was_promised_is_kept(
    tmp_path: Path, undisturbed: tuple[Path, list[dict[str, Any]]], last: int
) -> None:
    """Killed right after a promise, which the client has not seen: it asks again."""
    data, expected = undisturbed
    with ServerProcess(tmp_path / "killed") as server, Raw(server.url) as raw:
        session_id = raw.session()
        model_id = raw.model(session_id)
        promises = [submit(raw, model_id, number) for number in range(last + 1)]
        server.kill()
    with ServerProcess(tmp_path / "killed") as server, Raw(server.url) as raw:
        assert submit(raw, model_id, last) == promises[last]
        promises += [submit(raw, model_id, number) for number in range(last + 1, len(PROGRAM))]
        assert results_of(raw, promises) == expected
        sampler_id = raw.sampler(session_id)
        assert raw.do("asample", sample(sampler_id, 0))["sequences"]
    assert_equal_checkpoints(tmp_path / "killed", data)
