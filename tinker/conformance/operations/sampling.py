"""Samplers and samples."""

from __future__ import annotations

from tinker._codec.media_types import EVENT_STREAM, JSON
from tinker.conformance.checks import check
from tinker.conformance.outcomes import NotOffered, expect
from tinker.conformance.payloads import TOKENS
from tinker.conformance.subject import Subject


@check("create_sampling_session", "sampling", "create_session", "get_server_capabilities")
def create_sampling_session(s: Subject) -> None:
    """Binds a sampler to a base model or a checkpoint; the response names it, without a promise."""
    s.sampler = s.new_sampler(base_model=s.base_model)


@check("create_sampling_session by path", "sampling", "save_weights_for_sampler")
def create_sampling_session_by_path(s: Subject) -> None:
    """A sampler of a checkpoint."""
    sampler = s.new_sampler(model_path=s.results["sampler_weights"])
    expect(bool(sampler.id), "expected a non-empty sampling_session_id")
    s.keep("sampler of weights", sampler)


@check("get_sampler", "sampling", "create_sampling_session")
def get_sampler(s: Subject) -> None:
    """The base model of a sampler, and its checkpoint if it has one."""
    found = s.call("get_sampler", path={"sampler_id": s.sampler.id})["base_model"]
    expect(found == s.base_model, f"base_model: expected {s.base_model}, found {found}")


@check("asample", "sampling", "create_sampling_session")
def asample(s: Subject) -> None:
    """Promises samples of a prompt, each with tokens, their logprobs and a stop reason."""
    sequences = s.sample(num_samples=2)["sequences"]
    expect(len(sequences) == 2, f"num_samples 2: expected 2 sequences, found {len(sequences)}")
    for sequence in sequences:
        tokens, logprobs = sequence["tokens"], sequence.get("logprobs")
        expect(1 <= len(tokens) <= 4, f"max_tokens 4: expected 1 to 4 tokens, found {len(tokens)}")
        expect(
            logprobs is None or len(logprobs) == len(tokens),
            f"expected {len(tokens)} logprobs, one a token, found {len(logprobs or ())}",
        )


@check("asample with prompt_logprobs", "sampling", "asample")
def asample_prompt_logprobs(s: Subject) -> None:
    """`prompt_logprobs` has one entry a token of the prompt, null at the first."""
    values = s.sample(prompt_logprobs=True).get("prompt_logprobs")
    expect(values is not None, "prompt_logprobs is missing")
    expect(
        len(values) == len(TOKENS),
        f"expected {len(TOKENS)} entries, one a token of the prompt, found {len(values)}",
    )
    expect(values[0] is None, f"the first entry: expected null, found {values[0]}")


@check("asample with topk_prompt_logprobs", "sampling", "asample")
def asample_topk(s: Subject) -> None:
    """`topk_prompt_logprobs` has the k most likely tokens at each position of the prompt."""
    body = s.sample_body(s.sampler, prompt_logprobs=True, topk_prompt_logprobs=2)
    promise = s.call("asample", body)
    exchange = s.settled(promise)
    if exchange.media_type == JSON and (exchange.status == 400 or "error" in exchange.json()):
        reason = exchange.json()
        raise NotOffered(str(reason.get("error") or reason.get("detail"))[:120])
    rows = s.sampled(promise).get("topk_prompt_logprobs")
    expect(rows is not None, "topk_prompt_logprobs is missing")
    expect(
        len(rows) == len(TOKENS),
        f"expected {len(TOKENS)} entries, one a token of the prompt, found {len(rows)}",
    )
    expect(rows[0] is None, f"the first entry: expected null, found {rows[0]}")
    counts = {len(row) for row in rows[1:]}
    expect(counts == {2}, f"expected 2 tokens at each position after the first, found {counts}")


@check("stream_sample", "sampling", "create_sampling_session")
def stream_sample(s: Subject) -> None:
    """Server-sent events; one with a `finish_reason` ends its sample."""
    body = s.sample_body(s.sampler)
    exchange = s.send("stream_sample", body, headers={"accept": EVENT_STREAM})
    s.offered(exchange)
    expect(exchange.status == 200, f"expected status 200, found {exchange.status}")
    expect(
        exchange.media_type == EVENT_STREAM,
        f"expected {EVENT_STREAM}, found {exchange.media_type}",
    )
    expect('"finish_reason"' in exchange.body.decode(), "no event has a finish_reason")


@check("join_sampling_session", "sampling", "create_sampling_session")
def join_sampling_session(s: Subject) -> None:
    """Each process that joins a sampler gets a number of its own."""
    body = {"sampling_session_id": s.sampler.id, "type": "join_sampling_session"}
    first = s.call("join_sampling_session", body)["client_counter"]
    second = s.call("join_sampling_session", body)["client_counter"]
    expect(first != second, f"two processes got the same client_counter, {first}")
