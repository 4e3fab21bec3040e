"""This client against servers that others wrote: every call works that the server has."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from attrs import field, frozen

import tinker
from tests.interop import hatchery, installed, session, skyrl, tuft
from tests.support.command import Cli

pytestmark = [pytest.mark.interop, pytest.mark.timeout(1800)]


NO_ROUTE = "does not offer this operation"
# The model is on nobody's hub.
NO_TOKENIZER = {"get_tokenizer": "The tokenizer of 'tiny/qwen3-random' is neither in the cache"}
NO_TOPK_OF_SAMPLES = {"sample with topk_sample_logprobs": "does not offer topk_sample_logprobs"}
NO_ACCOUNT = dict.fromkeys(
    (
        "iter_sessions",
        "iter_user_checkpoints",
        "publish_checkpoint_from_tinker_path",
        "unpublish_checkpoint_from_tinker_path",
        "set_checkpoint_ttl_from_tinker_path",
    ),
    NO_ROUTE,
)
NO_DELETION = dict.fromkeys(
    ("delete_checkpoint of sampler", "delete_checkpoint of training"), NO_ROUTE
)
SKYRL = {**NO_TOKENIZER, **NO_TOPK_OF_SAMPLES, **NO_ACCOUNT}
NO_TOPK_OF_PROMPTS = {"sample with topk_prompt_logprobs": "does not offer topk_prompt_logprobs"}


@frozen
class Case:
    running: Callable[[], AbstractContextManager[str]]
    key: str = "tml-interop"
    refused: Mapping[str, str] = field(factory=dict)
    """What the server itself does not offer, with the words in which the client says so."""
    refused_listings: Mapping[str, str] | None = None
    """Likewise of the commands that list what is there; None: they are not tried."""


CASES = {
    "skyrl-tx 0.3.0": Case(
        lambda: skyrl.running("skyrl-tx", "0.3.0"),
        refused={**SKYRL, **NO_TOPK_OF_PROMPTS, **NO_DELETION, "get_sampler": NO_ROUTE},
    ),
    "SkyRL 0.3.0": Case(
        lambda: skyrl.running("skyrl", "0.3.0"),
        refused={**SKYRL, **NO_TOPK_OF_PROMPTS, **NO_DELETION},
    ),
    "SkyRL 0.4.0": Case(
        lambda: skyrl.running("skyrl", "0.4.0"),
        refused={
            **SKYRL,
            "sample with topk_prompt_logprobs": "topk_prompt_logprobs is not supported by the JAX backend",
            "load_state into the model": "it loads weights only as the first operation of a run",
            # It takes the request for the deletion of a checkpoint named "interop-state/publish".
            "unpublish_checkpoint_from_tinker_path": "Invalid checkpoint_id",
        },
        refused_listings=dict.fromkeys(
            ("checkpoint list", "session list", "usage", "auth whoami"), NO_ROUTE
        ),
    ),
    "TuFT 0.2.2": Case(
        tuft.running,
        tuft.KEY,
        refused={
            **NO_TOKENIZER,
            "sample with topk_sample_logprobs": "does not know topk_sample_logprobs",
            # It takes the request for the deletion of a checkpoint named "interop-state/publish".
            "unpublish_checkpoint_from_tinker_path": "status 500: Internal Server Error",
            "set_checkpoint_ttl_from_tinker_path": NO_ROUTE,
        },
        refused_listings={"usage": NO_ROUTE},
    ),
    "Hatchery 0.3.0": Case(
        hatchery.running,
        hatchery.KEY,
        refused={
            **NO_TOKENIZER,
            **NO_TOPK_OF_SAMPLES,
            **NO_ACCOUNT,
            # Its paths have a kind of their own, `checkpoints`.
            "publish_checkpoint_from_tinker_path": "not a tinker path",
            "unpublish_checkpoint_from_tinker_path": "not a tinker path",
            "set_checkpoint_ttl_from_tinker_path": "not a tinker path",
            "delete_checkpoint of training": "not a tinker path",
            "delete_checkpoint of sampler": NO_ROUTE,
            # It saves no file for a sampler: its workers sample from what they train.
            "create_sampling_client by path": "status 500: Sampler load_weights failed: KeyError",
            "get_training_run": NO_ROUTE,
            "iter_training_runs": NO_ROUTE,
            "get_sampler": NO_ROUTE,
            "unload_model": "expects another format: query.model_id: Field required",
        },
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_whole_session(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    with case.running() as url:
        report = session.run(url, case.key, installed.MODEL)
        if case.refused_listings is not None:
            refused = refused_listings(Cli(url, tmp_path), case.key)
            print(f"{name}: listings refused: {refused}")
            assert refused.keys() == case.refused_listings.keys()
            for command, words in case.refused_listings.items():
                assert words in refused[command]
    print(f"{name}: {report}")
    assert report.failed.keys() == case.refused.keys(), report.failed
    for call, words in case.refused.items():
        assert words in report.failed[call]
    assert len(report.passed) >= 30


@pytest.mark.parametrize("name", ["SkyRL 0.4.0", "TuFT 0.2.2"])
def test_a_killed_program_goes_on_with_its_journal(name: str, tmp_path: Path) -> None:
    """In the step in which it was killed, whose result is the one it had: nothing was done twice, and nothing is made again."""
    case = CASES[name]

    def program(url: str, journal: str, *killed_at: int) -> list[tuple[int, list[float]]]:
        module = "tests.interop.journal_session"
        command = [sys.executable, "-m", module, url, installed.MODEL, str(tmp_path / journal)]
        done = subprocess.run(
            [*command, *map(str, killed_at)],
            env={**os.environ, "TINKER_API_KEY": case.key},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == (-signal.SIGKILL if killed_at else 0), done.stderr
        return [tuple(json.loads(line)) for line in done.stdout.splitlines()]

    with case.running() as url:
        first = program(url, "one", 1)
        second = program(url, "one", 4)
        third = program(url, "one")
        assert [[step for step, _ in part] for part in (first, second, third)] == [
            [0, 1], [1, 2, 3, 4], [4, 5],
        ]  # fmt: skip
        assert second[0] == first[-1]
        assert third[0] == second[-1]
        assert program(url, "one") == []
        # Without its journal, the run is not gone on with, and the error names the checkpoint.
        model_id = json.loads((tmp_path / "one").read_text().splitlines()[0])["run"]["run_id"]
        with (
            tinker.ServiceClient(base_url=url, api_key=case.key) as service,
            pytest.raises(tinker.RunLostError, match="does not report its next seq_id") as lost,
        ):
            service.reattach_training_client(model_id).result(60)
        assert str(lost.value.checkpoint).endswith("step-6")
        if name.startswith("SkyRL"):  # TuFT ignores the seed
            assert program(url, "undisturbed") == [*first, *second[1:], *third[1:]]


def refused_listings(cli: Cli, key: str) -> dict[str, str]:
    """What the commands say that list what is there, as far as the server refuses: one line each."""
    refused: dict[str, str] = {}

    def listed(*command: str) -> str:
        """Its standard output, as JSON and as a table."""
        outputs = []
        for form in ("table", "json"):
            done = cli("-f", form, *command, env={"TINKER_API_KEY": key})
            if done.status:
                assert done.status == 1, done.stderr
                refused[" ".join(command)] = done.stderr.strip()
                return ""
            outputs.append(done.stdout)
        return "".join(outputs)

    assert installed.MODEL in listed("model", "list")
    for command in (
        ("run", "list"),
        ("checkpoint", "list"),
        ("session", "list"),
        ("usage",),
        ("auth", "whoami"),
    ):
        listed(*command)
    runs = cli("-f", "json", "run", "list", env={"TINKER_API_KEY": key})
    if runs.status == 0:
        run_id = runs.json["runs"][0]["training_run_id"]
        assert run_id in listed("run", "info", run_id)
        assert run_id in listed("checkpoint", "list", "--run-id", run_id)
    return refused
