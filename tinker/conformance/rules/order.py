"""The order of operations, repeated requests, and pending promises."""

from __future__ import annotations

import time

from tinker.conformance.checks import check
from tinker.conformance.outcomes import Failed, expect
from tinker.conformance.payloads import Losses
from tinker.conformance.subject import Subject

_PROMISE = 5.0
_LONGEST_POLL = 45.0


@check("order by seq_id", "rules", "forward_backward", "optim_step")
def order(s: Subject) -> None:
    """Training operations take effect in the order of `seq_id`, whatever the order of arrival."""
    plain, mixed = s.new_model(), s.new_model()
    s.trained(plain)
    s.stepped(plain)
    expected = s.trained(plain)
    later = s.train(mixed, seq_id=3)
    step = s.step(mixed, seq_id=2)
    s.losses(s.train(mixed, seq_id=1))
    s.result("optim_step", step)
    found = s.losses(later)
    expect(
        _same(found, expected),
        f"requests that arrived as 3, 2, 1: expected a loss of {-expected.total:.4f}, "
        f"as for 1, 2, 3, found {-found.total:.4f}",
    )


def _same(a: Losses, b: Losses) -> bool:
    return all(abs(x - y) < 1e-3 for x, y in zip(a.logprobs, b.logprobs, strict=True))


@check("promise before its turn", "rules", "forward_backward")
def promise_before_turn(s: Subject) -> None:
    """A request whose turn has not come gets its promise at once."""
    model = s.new_model()
    begun = time.monotonic()
    s.extra_models.remove(model.id)  # the next check goes on with it
    later = s.train(model, seq_id=2)
    seconds = time.monotonic() - begun
    expect(
        seconds < _PROMISE,
        f"expected the promise within {_PROMISE:.0f} s, found that it took {seconds:.1f} s",
    )
    s.keep("waiting", (model, later))


@check("pending", "rules", "promise before its turn")
def pending(s: Subject) -> None:
    """A poll is held for less than 45 seconds; what is not done is `try_again` with a queue_state, or a 408."""
    model, later = s.recall("waiting")
    s.extra_models.append(model.id)
    exchange = s.poll(later["request_id"], timeout=_LONGEST_POLL)
    expect(
        exchange.seconds < _LONGEST_POLL,
        f"expected a response within {_LONGEST_POLL:.0f} s, found that it took {exchange.seconds:.0f} s",
    )
    if exchange.status == 408:
        s.fits("retrieve_future", "QueueStateDetail", exchange.json())
    else:
        body = exchange.json()
        tag = body.get("type") if isinstance(body, dict) else None
        expect(exchange.status == 200, f"expected status 200 or 408, found {exchange.status}")
        expect(tag == "try_again", f"expected type try_again, found {str(body)[:100]}")
        s.fits("retrieve_future", "TryAgainResponse", body)
    s.losses(s.train(model, seq_id=1))
    s.losses(later)


@check("repeated training request", "rules", "forward_backward", "optim_step")
def repeated(s: Subject) -> None:
    """A repeated (`model_id`, `seq_id`) returns the original promise, and takes effect once."""
    once, twice = s.new_model(), s.new_model()
    for model in (once, twice):
        s.losses(s.train(model, seq_id=1))
    first = s.step(once, seq_id=2)
    second = s.step(twice, seq_id=2)
    again = s.step(twice, seq_id=2)
    _same_promise(second, again)
    for promise in (first, second):
        s.result("optim_step", promise)
    expected = s.losses(s.train(once, seq_id=3))
    found = s.losses(s.train(twice, seq_id=3))
    expect(
        _same(found, expected),
        f"a repeated step: expected a loss of {-expected.total:.4f}, as after one step, "
        f"found {-found.total:.4f}",
    )


def _same_promise(first: dict[str, object], again: dict[str, object]) -> None:
    expect(
        again["request_id"] == first["request_id"],
        f"a repeated request: expected the promise {first['request_id']}, "
        f"found {again['request_id']}",
    )


@check("repeated create_model", "rules", "create_model")
def repeated_create(s: Subject) -> None:
    """A repeated (`session_id`, `model_seq_id`) returns the original promise."""
    body, promise = s.recall("create_model")
    again = s.call("create_model", body)
    result = s.result("create_model", again)
    if result["model_id"] != s.model.id:
        s.extra_models.append(result["model_id"])
        raise Failed(f"a repeated request created a second model, {result['model_id']}")
    _same_promise(promise, again)


@check("repeated sample", "rules", "asample")
def repeated_sample(s: Subject) -> None:
    """A repeated (`sampling_session_id`, `seq_id`) returns the original promise."""
    body = s.sample_body(s.sampler)
    _same_promise(s.call("asample", body), s.call("asample", body))
