"""Whether numbers are right: each is compared with what the server itself says of the same tokens elsewhere.

Sampling and training may run on different engines in low precision, so that log-probabilities of the
same tokens differ a little from token to token, and less on average.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from tinker._codec.media_types import EVENT_STREAM, JSON, PROTOBUF
from tinker._http.sse import SSEDecoder
from tinker.conformance.checks import check
from tinker.conformance.outcomes import Failed, NotOffered, expect
from tinker.conformance.payloads import TOKENS, Example, Losses
from tinker.conformance.subject import Numbered, Subject

_EACH, _MEAN = 0.5, 0.1
"""How far log-probabilities of the same tokens may differ, in nats."""
_SAME = 1e-3
"""How far results of the same computation may differ, relative to their size."""
_ROUNDED = 1e-2
"""How far a sum may be from that of its rounded parts, relative to its size."""

_WEIGHTED = (
    Example(weights=[0.5, 2.0, 0.0, 1.0, 0.25, 1.5]),
    Example(tokens=[21, 22, 23, 24], weights=[1.0, 3.0, 0.5, 0.0]),
)


def _agree(what: str, found: Sequence[float], expected: Sequence[float], source: str) -> None:
    """Fail unless two series of log-probabilities are the same except for low precision."""
    expect(
        len(found) == len(expected),
        f"{what}: expected {len(expected)} values, found {len(found)}",
    )
    differences = [abs(a - b) for a, b in zip(found, expected, strict=True)]
    worst = max(range(len(differences)), key=differences.__getitem__)
    mean = sum(differences) / len(differences)
    expect(
        differences[worst] <= _EACH and mean <= _MEAN,
        f"{what}: expected {expected[worst]:.4f} at position {worst}, from {source}, "
        f"found {found[worst]:.4f}; the mean difference is {mean:.4f}",
    )


def _near(found: float, expected: float, tolerance: float) -> bool:
    return abs(found - expected) <= tolerance * max(1.0, abs(expected))


# ---- losses ---------------------------------------------------------------------------------


def _weighted(s: Subject) -> Iterator[tuple[str, Losses]]:
    """The losses of the same weighted batch, by each operation and in each encoding of its result."""
    model = s.new_model()
    promise = s.train(model, *_WEIGHTED)
    yield f"forward_backward, {s.encoding}", s.losses(promise)
    if s.encoding != JSON:
        yield f"forward_backward, {JSON}", s.losses(promise, JSON)
    try:
        yield "forward", s.forward(model, *_WEIGHTED)
    except NotOffered:
        return


@check("loss:sum", "rules", "forward_backward")
def loss_sum(s: Subject) -> None:
    """cross_entropy is the plain sum of -weight · logprob over the batch, reported as `loss:sum`."""
    for source, losses in _weighted(s):
        names = ", ".join(sorted(losses.metrics)) or "none"
        expect("loss:sum" in losses.metrics, f"{source}: expected loss:sum, found metrics {names}")
        found, expected = losses.metrics["loss:sum"], _weighted_sum(losses, _WEIGHTED)
        expect(
            _near(found, expected, _ROUNDED),
            f"{source}: expected a loss:sum of {expected:.4f}, from weights and logprobs, "
            f"found {found:.4f}",
        )


def _weighted_sum(losses: Losses, examples: Sequence[Example]) -> float:
    return sum(
        -weight * logprob
        for example, output in zip(examples, losses.outputs, strict=True)
        for weight, logprob in zip(example.weights, output["logprobs"], strict=True)
    )


@check("elementwise_loss", "rules", "forward_backward")
def elementwise_loss(s: Subject) -> None:
    """Where an output has an `elementwise_loss`, that of cross_entropy is -weight · logprob for each target."""
    found_any = False
    for source, losses in _weighted(s):
        for index, (example, output) in enumerate(zip(_WEIGHTED, losses.outputs, strict=True)):
            if "elementwise_loss" not in output:
                continue
            found_any = True
            parts = zip(
                example.weights, output["logprobs"], output["elementwise_loss"], strict=True
            )
            for position, (weight, logprob, found) in enumerate(parts):
                expect(
                    _near(found, -weight * logprob, _ROUNDED),
                    f"{source}: expected an elementwise_loss of {-weight * logprob:.4f} at position "
                    f"{position} of datum {index}, found {found:.4f}",
                )
    if not found_any:
        raise NotOffered("loss_fn_outputs have no elementwise_loss")


@check("negative weights", "rules", "forward_backward", "optim_step")
def negative_weights(s: Subject) -> None:
    """Weights may be negative, as custom losses need them: a step then makes the targets less likely."""
    model = s.new_model()
    negative = Example(weights=[-1.0] * len(TOKENS))
    before = s.trained(model, negative)
    if "loss:sum" in before.metrics:
        found, expected = before.metrics["loss:sum"], before.total
        expect(
            _near(found, expected, _ROUNDED),
            f"with weights of -1, expected a loss:sum of {expected:.4f}, the sum of the logprobs, "
            f"found {found:.4f}",
        )
    s.stepped(model)
    after = s.trained(model, negative)
    expect(
        after.total < before.total,
        f"after a step with weights of -1, expected a sum of logprobs below {before.total:.4f}, "
        f"found {after.total:.4f}",
    )


# ---- steps ----------------------------------------------------------------------------------


@check("learning_rate", "rules", "optim_step")
def learning_rate(s: Subject) -> None:
    """A step is as large as its learning rate: 0 changes nothing, and twice a small rate about twice as much."""
    rates = (5e-4, 1e-3)
    gains: list[float] = []
    for rate in rates:
        model = s.new_model()
        before = s.trained(model)
        if not gains:
            s.stepped(model, learning_rate=0.0)
            after = s.trained(model)
            expect(
                _near(after.total, before.total, _SAME),
                f"after a step with learning_rate 0, expected a loss of {-before.total:.4f}, "
                f"as before it, found {-after.total:.4f}",
            )
        s.stepped(model, learning_rate=rate)
        gains.append(s.trained(model).total - before.total)
    small, large = gains
    expect(
        0 < 1.3 * small <= large <= 4 * small,
        f"the loss falls by {small:.4f} at learning_rate {rates[0]:g}: "
        f"expected about {2 * small:.4f} at {rates[1]:g}, found {large:.4f}",
    )


@check("accumulated gradients", "rules", "optim_step")
def accumulated_gradients(s: Subject) -> None:
    """Gradients are summed until the next step: a batch in two parts trains as the whole does."""
    whole, parts = s.new_model(), s.new_model()
    s.trained(whole, *_WEIGHTED)
    for example in _WEIGHTED:
        s.trained(parts, example)
    for model in (whole, parts):
        s.stepped(model)
    expected, found = s.forward(whole, *_WEIGHTED), s.forward(parts, *_WEIGHTED)
    expect(
        _near(found.total, expected.total, _SAME),
        f"after one step on two batches of one datum each, expected a sum of logprobs of "
        f"{expected.total:.4f}, as for one batch of both, found {found.total:.4f}",
    )


@check("cleared gradients", "rules", "optim_step")
def cleared_gradients(s: Subject) -> None:
    """A step clears the gradients: those before it have no part in the next step."""
    once, after_another = s.new_model(), s.new_model()
    strong = Example(tokens=[31, 32, 33, 34], weights=[-9.0] * 4)
    s.trained(after_another, strong)
    s.stepped(after_another, learning_rate=0.0, beta1=0.0, beta2=0.0)
    totals = []
    for model in (once, after_another):
        s.trained(model)
        s.stepped(model, beta1=0.0, beta2=0.0)
        totals.append(s.forward(model, Example(), strong).total)
    expected, found = totals
    expect(
        _near(found, expected, _SAME),
        f"after a step on a batch, expected a sum of logprobs of {expected:.4f}, found {found:.4f} "
        "where the step before it had cleared the gradients of another batch",
    )


# ---- samples --------------------------------------------------------------------------------


@check("sample logprobs", "rules", "asample with prompt_logprobs")
def sample_logprobs(s: Subject) -> None:
    """The logprobs of a sample at temperature 1 are those that `prompt_logprobs` has for the same tokens."""
    promise = s.call("asample", s.sample_body(s.sampler, num_samples=2))
    compared = False
    for encoding in (JSON, PROTOBUF):
        for index, sequence in enumerate(s.sampled(promise, encoding)["sequences"]):
            if sequence.get("logprobs") is not None:
                compared = True
                what = f"sample {index}, {encoding}"
                _as_scored(s, what, sequence["tokens"], sequence["logprobs"])
    if not compared:
        raise NotOffered("samples have no logprobs")


def _as_scored(s: Subject, what: str, tokens: Sequence[int], logprobs: Sequence[float]) -> None:
    evidence = s.last
    scored = _prompt_logprobs(s, s.sampler, (*TOKENS, *tokens))[len(TOKENS) :]
    s.last = evidence
    _agree(what, logprobs, scored, "prompt_logprobs of the same tokens")


def _prompt_logprobs(s: Subject, sampler: Numbered, tokens: tuple[int, ...]) -> list[float]:
    """One for each token; null for the first."""
    values: list[float] = s.sample(sampler, tokens=tokens, prompt_logprobs=True)["prompt_logprobs"]
    return values


@check("streamed logprobs", "rules", "stream_sample", "asample with prompt_logprobs")
def streamed_logprobs(s: Subject) -> None:
    """The logprobs of a stream at temperature 1 are those that `prompt_logprobs` has for the same tokens."""
    body = s.sample_body(s.sampler)
    exchange = s.send("stream_sample", body, headers={"accept": EVENT_STREAM})
    events = [orjson.loads(event.data) for event in SSEDecoder().feed(exchange.body)]
    drawn = [event for event in events if event.get("token_id") is not None]
    expect(bool(drawn), "expected events with a token_id, found none")
    if any(event.get("logprob") is None for event in drawn):
        raise NotOffered("events have no logprob")
    _as_scored(
        s, "the stream", [one["token_id"] for one in drawn], [one["logprob"] for one in drawn]
    )


@check(
    "sampler and forward",
    "rules",
    "forward",
    "optim_step",
    "create_sampling_session by path",
    "asample with prompt_logprobs",
)
def sampler_and_forward(s: Subject) -> None:
    """A sampler of trained weights gives a text the logprobs that `forward` gives it: in prompts and in samples."""
    sampler = s.results["sampler of weights"]
    losses = s.forward(s.model, Example())
    text = (*TOKENS, TOKENS[-1] + 1)
    scored = _prompt_logprobs(s, sampler, text)
    _agree("prompt_logprobs", scored[1:], losses.logprobs, "forward of the same tokens")
    (sequence,) = s.sample(sampler)["sequences"]
    if sequence.get("logprobs") is None:
        return
    evidence = s.last
    text = (*TOKENS, *sequence["tokens"])
    losses = s.forward(s.model, Example(text[:-1], targets=text[1:]))
    s.last = evidence
    expected = losses.logprobs[len(TOKENS) - 1 :]
    _agree("a sample", sequence["logprobs"], expected, "forward of the same tokens")


@check("topk_prompt_logprobs", "rules", "asample with topk_prompt_logprobs")
def topk_prompt_logprobs(s: Subject) -> None:
    """The k most likely tokens, none less likely than the prompt's own, with the logprobs they have in a prompt."""
    result = s.sample(prompt_logprobs=True, topk_prompt_logprobs=2)
    evidence = s.last
    own = result["prompt_logprobs"][-1]
    row = {int(token): logprob for token, logprob in result["topk_prompt_logprobs"][-1]}
    least = min(row.values())
    expect(
        TOKENS[-1] in row or least >= own - _EACH,
        f"expected tokens with at least {own:.4f} at the last position, the logprob of the "
        f"prompt's own token, found {least:.4f}",
    )
    scored = [_prompt_logprobs(s, s.sampler, (*TOKENS[:-1], token))[-1] for token in row]
    s.last = evidence
    _agree(
        "the most likely tokens at the last position",
        list(row.values()),
        scored,
        "prompt_logprobs of prompts that end with them",
    )


@check("target_prompt_logprobs", "rules", "asample with prompt_logprobs")
def target_prompt_logprobs(s: Subject) -> None:
    """The logprobs of given tokens at each position of the prompt; those of its own are `prompt_logprobs`."""
    targets: dict[str, Any] = {
        "data": list(TOKENS[1:]),
        "dtype": "int64",
        "shape": [len(TOKENS) - 1, 1],
    }
    body = s.sample_body(s.sampler, prompt_logprobs=True, target_prompt_logprobs=targets)
    exchange = s.send("asample", body)
    if exchange.status in (400, 422):
        raise NotOffered(f"{exchange.status}: {exchange.body.decode(errors='replace')[:120]}")
    try:
        result = s.sampled(exchange.json())
    except Failed as failure:
        raise NotOffered(str(failure)) from None
    if result.get("target_prompt_logprobs") is None:
        raise NotOffered("the result has no target_prompt_logprobs")
    found = result["target_prompt_logprobs"]["data"]
    _agree("target_prompt_logprobs", found, result["prompt_logprobs"][1:], "prompt_logprobs")


@check("seed of a sample", "rules", "asample")
def seed(s: Subject) -> None:
    """The same seed gives the same tokens."""
    first, second = (s.sample()["sequences"][0]["tokens"] for _ in range(2))
    expect(first == second, f"expected {first} twice, found {second}")
