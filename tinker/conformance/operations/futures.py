"""Results of promises."""

from __future__ import annotations

from tinker.conformance.checks import check
from tinker.conformance.outcomes import expect
from tinker.conformance.subject import Subject


@check("retrieve_future", "futures", "create_model")
def retrieve_future(s: Subject) -> None:
    """A result can be retrieved again."""
    _, promise = s.results["create_model"]
    first, second = s.settled(promise), s.settled(promise)
    for which, exchange in (("first", first), ("second", second)):
        expect(
            exchange.status == 200,
            f"the {which} time: expected status 200, found {exchange.status}",
        )
    expect(first.json() == second.json(), "the second result differs from the first")


@check("retrieve_futures", "futures", "asample")
def retrieve_futures(s: Subject) -> None:
    """The completions feed of a sampler: what finished since `prev_cursor`."""
    promise = s.call("asample", s.sample_body(s.sampler))
    s.sampled(promise)
    target = {
        "type": "sampling_session",
        "sampling_session_id": s.sampler.id,
        "cloned_sampler_id": 0,
    }
    cursor, done = 0, set()
    for _ in range(20):
        page = s.call("retrieve_futures", {"target": target, "prev_cursor": cursor, "timeout": 0})
        done |= {one["request_id"] for one in page["completions"]}
        if promise["request_id"] in done or page["cursor"] == cursor:
            break
        cursor = page["cursor"]
    expect(promise["request_id"] in done, "the feed does not list a sample that has finished")


@check("cancel_future", "futures", "asample")
def cancel_future(s: Subject) -> None:
    """Abandons a sample; one that has finished is not affected."""
    promise = s.call("asample", s.sample_body(s.sampler))
    before = s.sampled(promise)
    s.call("cancel_future", {"request_id": promise["request_id"]})
    expect(s.sampled(promise) == before, "the result of a finished sample has changed")
