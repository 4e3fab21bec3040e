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


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        # Nothing to go by: in the past, too far off, or no time at all.
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, None),
        ({"retry-after": "3600"}, None),
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
