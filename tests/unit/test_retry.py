"""How long a request is repeated."""

from __future__ import annotations

import time

import pytest

from tinker import _retry
from tinker._polling import GIVE_UP


@pytest.mark.parametrize(
    ("policy", "status", "headers", "seconds"),
    [
        # The last try begins within so many seconds of the first.
        (_retry.DEFAULT, 503, {}, 300),
        (_retry.DEFAULT, None, {}, 300),
        (_retry.DEFAULT, 500, {}, 3),
        (_retry.CREATION, 500, {}, 15),
        (_retry.PERSISTENT, 500, {}, 60),
        (_retry.PERSISTENT, 502, {}, 300),
        (_retry.PERSISTENT, 500, {"x-should-retry": "true"}, 300),
        (GIVE_UP, 500, {}, 60),
        (GIVE_UP, 503, {}, 3600),
        (_retry.FIRST_CONTACT, None, {}, 5),
        (_retry.DEFAULT, 402, {}, 3600),
        (_retry.DEFAULT, 409, {}, 0),
        (_retry.DEFAULT, 503, {"x-should-retry": "false"}, 0),
        (_retry.NEVER, 503, {}, 0),
    ],
)
def test_a_request_is_repeated_for(
    policy: _retry.RetryPolicy, status: int | None, headers: dict[str, str], seconds: float
) -> None:
    def pause_after(elapsed: float) -> float | None:
        begun = time.monotonic() - elapsed
        return _retry.Attempts(policy, made=1, started=begun).pause(status, headers)

    assert pause_after(seconds) is None
    if seconds:
        assert pause_after(seconds / 2) is not None
