"""This client against SkyRL, in JSON (0.3.0) and in protobuf (0.4.0): every call works that the server has."""

from __future__ import annotations

import socket

import pytest
import session
import skyrl

pytestmark = [pytest.mark.interop, pytest.mark.timeout(1800)]

# What the server itself does not offer, with the words in which the client says so.
REFUSED = {
    "0.3.0": {},
    "0.4.0": {
        "sample with topk_prompt_logprobs": "topk_prompt_logprobs is not supported by the JAX backend",
        "load_state into the model": "LoadWeights is not permitted with seq_id",
    },
}


@pytest.mark.parametrize("version", REFUSED)
def test_a_whole_session(version: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with skyrl.running(version, port) as url:
        report = session.run(url)
    assert report.failed.keys() == REFUSED[version].keys(), report.failed
    for call, words in REFUSED[version].items():
        assert words in report.failed[call]
    assert len(report.passed) >= 35
