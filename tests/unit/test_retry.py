"""How long a request is repeated."""

from __future__ import annotations

import time

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
