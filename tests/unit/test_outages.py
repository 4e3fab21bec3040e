"""No storm: what a thousand clients do to a server that goes and comes back. A simulation; see tests/support/outages.py."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

import tinker
from tests.support import outages
from tinker._protocol import retry
from tinker._protocol.polling import GIVE_UP

simulated = cache(outages.simulate)


@pytest.mark.parametrize("outage", [5, 60, 600])
def test_an_outage_is_not_a_storm_and_costs_little_more_than_it_lasts(outage: float) -> None:
    outcome = simulated(outage)
    assert outcome.peak <= 2 * outcome.steady
    assert len(outcome.delays) == outages.CLIENTS
    assert max(outcome.delays) <= 1.2 * outage


def test_during_a_long_outage_there_are_few_requests() -> None:
    outcome = simulated(600)
    late = outcome.rates[int(outages.BEFORE) + 120 : int(outages.BEFORE) + 600]
    assert max(late) < 0.25 * outcome.steady


def test_the_retries_of_one_client_are_spread_out() -> None:
    """Whatever is pending: so many at once, then so many a second, and as many more as succeed."""
    now = 0.0
    policy = tinker.RetryPolicy(retries_per_second=4, burst=3)
    tokens = retry.Tokens(policy, lambda: now)
    assert [tokens.take() for _ in range(6)] == [0, 0, 0, 0.25, 0.5, 0.75]
    for _ in range(3):
        tokens.succeeded()
    assert tokens.take() == 0.25
    now = 100.0
    assert [tokens.take() for _ in range(4)] == [0, 0, 0, 0.25]
    # Nobody is made to wait for longer than the longest pause.
    assert max(tokens.take() for _ in range(1000)) == policy.longest_pause


@pytest.mark.parametrize("attempts", [1, 2, 5])
def test_no_more_attempts_than_the_policy_allows(attempts: int) -> None:
    tries = retry.Attempts(tinker.RetryPolicy(attempts=attempts))
    while True:
        tries.made += 1
        if tries.pause(503, {}) is None:
            break
    assert tries.made == attempts


def test_other_kinds_of_requests_keep_their_proportions() -> None:
    policy = tinker.RetryPolicy(budget=30, fault_budget=120, longest_pause=5, poll_budget=60)
    limits = {
        kind: (found.budget, found.fault_budget, found.longest_pause)
        for kind in (retry.DEFAULT, retry.CREATION, retry.PERSISTENT, retry.FIRST_CONTACT)
        for found in [retry.within(policy, kind)]
    }
    assert limits == {
        retry.DEFAULT: (30, 6, 5),
        retry.CREATION: (30, 30, 5),
        retry.PERSISTENT: (90, 120, 5),
        retry.FIRST_CONTACT: (0.5, 6, 5),
    }
    polls = retry.within(policy, GIVE_UP)
    assert (polls.budget, polls.fault_budget, polls.longest_pause) == (60, 120, 15)
    assert retry.within(policy, retry.NEVER).budget == 0


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"budget": -1}, "budget is -1; it must be a number of at least 0."),
        ({"attempts": 0}, "attempts is 0; it must be an integer of at least 1, or None."),
        ({"deadline": "soon"}, "deadline is 'soon'; it must be a number of at least 0, or None."),
        ({"first_pause": float("nan")}, "first_pause is nan; it must be a number of at least 0."),
        ({"budget": None}, "budget is None; it must be"),
        ({"attempts": 1.5}, "attempts is 1.5; it must be an integer of at least 1, or None."),
        ({"jitter": 2}, "jitter is 2; it must be a number from 0 to 1."),
        ({"burst": True}, "burst is True; it must be"),
    ],
)
def test_a_policy_that_cannot_be_is_refused(values: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError) as refused:
        tinker.RetryPolicy(**values)
    assert str(refused.value).startswith(text)
