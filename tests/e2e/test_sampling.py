"""Sampling from the embedded server: whole, token by token, with its completions feed, and all that can be asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

import tinker
from tests.support.present import present
from tinker.types import StreamSampleEvent
from tinker_local import LocalServer
from tinker_local.options import Options

MODEL = "tinker-local/tiny"
PROMPT = tinker.ModelInput.from_ints(list(b"some prompt"))


@pytest.fixture
def sampler(service: tinker.ServiceClient) -> tinker.SamplingClient:
    return service.create_sampling_client(base_model=MODEL).result(timeout=60)


@pytest.fixture(scope="module")
def sampler_with_feed() -> Iterator[tinker.SamplingClient]:
    with (
        LocalServer(options=Options(feed=True)) as server,
        tinker.ServiceClient(base_url=server.url) as service,
    ):
        yield service.create_sampling_client(base_model=MODEL).result(timeout=60)


def read(stream: Any, how: str) -> list[StreamSampleEvent]:
    async def read_all() -> list[StreamSampleEvent]:
        return [event async for event in stream]

    return list(stream) if how == "for" else asyncio.run(read_all())


@pytest.mark.parametrize("how", ["for", "async for"])
@pytest.mark.parametrize("stop", [None, "e", ["a", "e"], [101, 32]])
def test_a_stream_has_what_the_sample_has(
    sampler: tinker.SamplingClient, how: str, stop: Any
) -> None:
    params = tinker.SamplingParams(max_tokens=24, seed=11, stop=stop)
    whole = sampler.sample(PROMPT, 3, params).result(timeout=60)
    events = read(sampler.sample_stream(PROMPT, params, 3), how)
    for index, sequence in enumerate(whole.sequences):
        *tokens, end = [event for event in events if event.index == index]
        assert [event.token_id for event in tokens] == list(sequence.tokens)
        assert [event.logprob for event in tokens] == pytest.approx(sequence.logprobs, rel=1e-5)
        assert (end.finish_reason, end.total_tokens) == (sequence.stop_reason, len(sequence.tokens))
        text = "".join(event.token or "" for event in tokens)
        assert sampler.get_tokenizer().decode(sequence.tokens).startswith(text)


def outcome(sampler: tinker.SamplingClient, seq_id: int) -> str:
    """What the server says about one of its samples."""
    answer = httpx.post(
        f"{sampler.holder.settings.base_url}/api/v1/retrieve_future",
        json={"request_id": f"{sampler.sampling_session_id}:{seq_id}"},
        headers={"X-API-Key": "tml-local"},
        timeout=60,
    )
    return str(answer.json().get("error", "sampled"))


def test_samples_and_streams_that_nobody_waits_for_are_not_made(
    sampler: tinker.SamplingClient,
) -> None:
    """Those that have not begun: a long one, which is read, is before them."""
    long = sampler.sample_stream(PROMPT, tinker.SamplingParams(max_tokens=1500, stop=[]))
    next(long)
    params = tinker.SamplingParams(max_tokens=2)
    given_up, left = sampler.sample(PROMPT, 1, params), sampler.sample_stream(PROMPT, params)
    kept = sampler.sample(PROMPT, 1, params)
    for progress in (given_up.progress, left._progress, kept.progress):
        while not present(progress).doing.startswith(
            ("waiting for the result", "waiting for tokens")
        ):
            next(long)
    given_up.future().cancel()
    left.close()
    assert len(kept.result(timeout=60).sequences[0].tokens) == 2
    numbers = [
        present(progress).seq_ids[0]
        for progress in (given_up.progress, left._progress, kept.progress)
    ]
    assert [outcome(sampler, number) for number in numbers] == [
        "The sample was cancelled", "The reader of the stream is gone", "sampled",
    ]  # fmt: skip


def test_samples_named_by_the_feed_are_each_their_own(
    sampler: tinker.SamplingClient, sampler_with_feed: tinker.SamplingClient
) -> None:
    params = tinker.SamplingParams(max_tokens=4, seed=5)
    prompts = [tinker.ModelInput.from_ints([n % 256, 1, n // 256]) for n in range(64)]
    expected = [sampler.sample(prompt, 2, params) for prompt in prompts]
    samples = [sampler_with_feed.sample(prompt, 2, params) for prompt in prompts]
    for one, other in zip(expected, samples, strict=True):
        mine, theirs = (sample.result(timeout=60).sequences for sample in (one, other))
        assert [sequence.tokens for sequence in mine] == [sequence.tokens for sequence in theirs]
    assert sampler_with_feed._sampler._feed is not None


def test_a_sample_that_fails_says_why_with_a_feed_too(
    sampler: tinker.SamplingClient, sampler_with_feed: tinker.SamplingClient
) -> None:
    for client in (sampler, sampler_with_feed):
        beyond = tinker.ModelInput.from_ints([10**6])
        with pytest.raises(tinker.TinkerError, match="1000000"):
            client.sample(beyond, 1, tinker.SamplingParams(max_tokens=1)).result(timeout=60)


def test_a_stream_has_the_text_of_all_its_tokens(sampler: tinker.SamplingClient) -> None:
    """Also of a sample whose last token is not the end of a character."""
    cut = 0
    for seed in range(8):
        params = tinker.SamplingParams(max_tokens=6, temperature=2.0, seed=seed)
        events = list(sampler.sample_stream(PROMPT, params))
        tokens = bytes(e.token_id for e in events if e.token_id is not None and e.token_id < 256)
        whole = tokens.decode(errors="replace")
        assert "".join(e.token or "" for e in events) == whole
        cut += whole.endswith("\ufffd")
    assert cut
