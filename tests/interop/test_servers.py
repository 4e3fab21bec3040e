"""This client against servers that others wrote: every call works that the server has."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import hatchery
import installed
import pytest
import session
import skyrl
import tuft
from attrs import field, frozen

pytestmark = [pytest.mark.interop, pytest.mark.timeout(1800)]


@frozen
class Case:
    running: Callable[[], AbstractContextManager[str]]
    key: str = "tml-interop"
    refused: dict[str, str] = field(factory=dict)
    """What the server itself does not offer, with the words in which the client says so."""


CASES = {
    "skyrl-tx 0.3.0": Case(lambda: skyrl.running("skyrl-tx", "0.3.0")),
    "SkyRL 0.3.0": Case(lambda: skyrl.running("skyrl", "0.3.0")),
    "SkyRL 0.4.0": Case(
        lambda: skyrl.running("skyrl", "0.4.0"),
        refused={
            "sample with topk_prompt_logprobs": "topk_prompt_logprobs is not supported by the JAX backend",
            "load_state into the model": "LoadWeights is not permitted with seq_id",
        },
    ),
    "TuFT 0.2.2": Case(tuft.running, tuft.KEY),
    "Hatchery 0.3.0": Case(
        hatchery.running,
        hatchery.KEY,
        refused={
            # It saves no file for a sampler: its workers sample from what they train.
            "create_sampling_client by path": "status 500: Sampler load_weights failed: KeyError",
        },
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_whole_session(name: str) -> None:
    case = CASES[name]
    with case.running() as url:
        report = session.run(url, case.key, installed.MODEL)
    assert report.failed.keys() == case.refused.keys(), report.failed
    for call, words in case.refused.items():
        assert words in report.failed[call]
    assert len(report.passed) >= 30
