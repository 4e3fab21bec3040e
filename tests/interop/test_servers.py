"""This client against servers that others wrote: every call works that the server has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from attrs import field, frozen

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
            "unload_model": "wants this in another form: query.model_id: Field required",
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
