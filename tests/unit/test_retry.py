"""How long a request is repeated."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

import tinker
from tinker._protocol import retry
from tinker._protocol.polling import GIVE_UP


@pytest.mark.parametrize(
    ("policy", "status", "headers", "seconds"),
    [
        # The last try begins within so many seconds of the first.
        (retry.DEFAULT, 503, {}, 300),
        (retry.DEFAULT, None, {}, 300),
        (retry.DEFAULT, 500, {}, 3),
        (retry.CREATION, 500, {}, 15),
        (retry.PERSISTENT, 500, {}, 60),
        (retry.PERSISTENT, 502, {}, 900),
        (retry.PERSISTENT, 500, {"x-should-retry": "true"}, 900),
        (GIVE_UP, 500, {}, 60),
        (GIVE_UP, 503, {}, 3600),
        (retry.FIRST_CONTACT, None, {}, 5),
        (retry.DEFAULT, 402, {}, 3600),
        (retry.DEFAULT, 409, {}, 0),
        (retry.DEFAULT, 503, {"x-should-retry": "false"}, 0),
        (retry.NEVER, 503, {}, 0),
    ],
)
def test_a_request_is_repeated_for(
    policy: tinker.RetryPolicy, status: int | None, headers: dict[str, str], seconds: float
) -> None:
    def pause_after(elapsed: float) -> float | None:
        begun = time.monotonic() - elapsed
        return retry.Attempts(policy, made=1, started=begun).pause(status, headers)

    assert pause_after(seconds) is None
    if seconds:
        assert pause_after(seconds / 2) is not None


def test_pauses_double_up_to_a_fifth_of_the_outage_and_a_limit() -> None:
    policy = tinker.RetryPolicy(first_pause=0.5, longest_pause=10.0, jitter=0.0)

    def pause(made: int, elapsed: float) -> float | None:
        attempts = retry.Attempts(policy, made=made, clock=lambda: elapsed, started=0.0)
        return attempts.pause(503, {})

    assert [pause(made, 40) for made in (1, 2, 3, 4, 5, 6, 2000)] == [0.5, 1, 2, 4, 8, 8, 8]
    assert [pause(9, elapsed) for elapsed in (0, 4, 20, 50, 200)] == [1, 1, 4, 10, 10]
    assert retry.DEFAULT.first_pause * 0.75 <= retry.first_pause() <= retry.DEFAULT.first_pause


@pytest.mark.parametrize(
    ("kind", "budget", "fault_budget", "longest_pause"),
    [
        (retry.DEFAULT, 60, 1, 20),
        (retry.CREATION, 60, 5, 20),
        (retry.PERSISTENT, 180, 20, 20),
        (retry.FIRST_CONTACT, 1, 1, 20),
        (retry.NEVER, 0, 1, 20),
        (GIVE_UP, 7200, 20, 60),
    ],
)
def test_the_policy_of_a_user_changes_every_kind_of_request_in_proportion(
    kind: tinker.RetryPolicy, budget: float, fault_budget: float, longest_pause: float
) -> None:
    policy = tinker.RetryPolicy(
        budget=60, fault_budget=20, longest_pause=20, poll_budget=7200, attempts=3
    )
    applied = retry.within(policy, kind)
    assert applied.attempts == 3
    assert applied.budget == pytest.approx(budget)
    assert applied.fault_budget == pytest.approx(fault_budget)
    assert applied.longest_pause == pytest.approx(longest_pause)
    assert retry.within(tinker.RetryPolicy(), kind) == kind


def test_retries_are_spread_out_after_a_burst() -> None:
    now = 0.0
    policy = tinker.RetryPolicy(retries_per_second=2, burst=2, longest_pause=1.5)
    tokens = retry.Tokens(policy, lambda: now)
    assert [tokens.take() for _ in range(6)] == [0, 0, 0.5, 1, 1.5, 1.5]
    now = 1.0
    assert tokens.take() == 1.0
    tokens.succeeded()
    assert tokens.take() == 1.0
    now = 100.0
    assert [tokens.take() for _ in range(3)] == [0, 0, 0.5]


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        # Nothing to go by: in the past, too far off, or no time at all.
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, None),
        ({"retry-after": "60"}, 60.0),
        ({"retry-after": "60.5"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": f"Mon, 01 Jan {'9' * 20} 00:00:00 GMT"}, None),
        ({"retry-after": f"Mon, 01 Jan 2026 00:00:00 +{'9' * 20}"}, None),
        ({"retry-after-ms": ""}, None),
        ({}, None),
    ],
)
def test_the_server_may_say_when(headers: dict[str, str], seconds: float | None) -> None:
    assert retry.retry_after(headers) == seconds


def test_the_server_may_say_when_by_the_clock() -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=50))
    assert retry.retry_after({"retry-after": date}) == pytest.approx(25, abs=25)
