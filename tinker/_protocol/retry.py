"""When a request is retried, and after how long. The numbers are those of the default `RetryPolicy`.

Retried: no connection, no response in time, 408, 425, 429, 5xx; the header `x-should-retry` overrides this.
Not retried: every other status code, including 409, because a retry cannot change the response, and a 5xx that is known
to be final (see `tinker._protocol.server_traits`). All requests are safe to retry: those that change something carry a
number (`seq_id`, `model_seq_id`, `sampling_session_seq_id`) or a key by which the server recognizes a retry.

Also retried, but only for the `fault_budget`, because it is not known whether it helps:

- a response that the server cannot have sent: a 400, 404, 405 or 409 without a body or with an HTML page. A proxy sent it.
- a 2xx whose body does not match the operation.
- a refusal (4xx) of a request whose earlier attempt ended without a response: it may be rejected *because* the earlier
  attempt was carried out.

Pauses double from 0.5 s to 10 s, none is longer than a fifth of the time since the first failure, and each is multiplied
by a random number from 0.75 to 1. `retry-after-ms` and `Retry-After` of up to 60 s are obeyed. The last attempt begins
within 300 s of the first failure, or within 900 s where giving up would end a training run or lose a sample. A server
that has never responded gets 5 s, so that a wrong address is reported soon. A plain 500 is usually a permanent fault, or
the response of some servers to what they do not know: it gets 3 s, 15 s where a client is created, and a minute where
giving up would end a training run or lose a result; the whole time only if `x-should-retry` asks for it. 402 means that
billing is paused: the request is retried every 5 s for as long as the server's settings allow, an hour by default.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from attrs import define, evolve, field

from tinker.retry_policy import RetryPolicy

_RETRIED_STATUSES = frozenset({408, 425, 429})
BILLING_PAUSE = 5.0


DEFAULT = RetryPolicy(fault_budget=3.0)
CREATION = RetryPolicy(fault_budget=15.0)
PERSISTENT = RetryPolicy(budget=900.0, fault_budget=60.0)
FIRST_CONTACT = RetryPolicy(budget=5.0, fault_budget=3.0)
NEVER = RetryPolicy(budget=0.0, fault_budget=3.0)

_USUAL = RetryPolicy()


def within(policy: RetryPolicy, kind: RetryPolicy) -> RetryPolicy:
    """Apply a user's policy to the default limits of a kind of request; budgets stay in proportion."""
    if policy == _USUAL:
        return kind
    is_poll = kind.budget >= _USUAL.poll_budget
    budget = policy.poll_budget / _USUAL.poll_budget if is_poll else policy.budget / _USUAL.budget
    return evolve(
        policy,
        budget=kind.budget * budget,
        fault_budget=kind.fault_budget * policy.fault_budget / _USUAL.fault_budget,
        longest_pause=kind.longest_pause * policy.longest_pause / _USUAL.longest_pause,
    )


@define
class Tokens:
    """Spreads out the retries of one client: a bucket from which each takes a token. Does not wait itself."""

    policy: RetryPolicy
    clock: Callable[[], float] = time.monotonic
    _left: float = field(init=False)
    _counted: float = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._left, self._counted = float(self.policy.burst), self.clock()

    def take(self) -> float:
        """Take a token for a retry; returns the seconds until it is available, at most the policy's longest pause."""
        now = self.clock()
        rate = self.policy.retries_per_second
        self._left = min(self._left + (now - self._counted) * rate, float(self.policy.burst))
        self._counted = now
        self._left = max(self._left - 1.0, -self.policy.longest_pause * rate)
        return max(0.0, -self._left / rate)

    def succeeded(self) -> None:
        """Record a success, which allows one more retry."""
        self._left = min(self._left + 1.0, float(self.policy.burst))


def first_pause() -> float:
    """Seconds before the second attempt of a request."""
    return jittered(DEFAULT.first_pause)


def jittered(pause: float, jitter: float = DEFAULT.jitter) -> float:
    """A pause shortened at random by up to this fraction, so that clients do not return all at once."""
    return pause * random.uniform(1.0 - jitter, 1.0)  # noqa: S311


def is_retried(status: int, headers: Mapping[str, str]) -> bool:
    """Whether a response with this status code is retried."""
    verdict = headers.get("x-should-retry")
    if verdict in ("true", "false"):
        return verdict == "true"
    return status in _RETRIED_STATUSES or status >= 500


@define
class Attempts:
    """The attempts of one request."""

    policy: RetryPolicy
    billing_budget: float = 3600.0
    made: int = 0
    outcome_unknown: bool = False
    """Whether the server may have carried out the request: an attempt ended without a response from it."""
    _clock: Callable[[], float] = time.monotonic
    _started: float | None = None
    """When the first attempt failed. The time for which the server held it does not count."""

    def pause(
        self, status: int | None, headers: Mapping[str, str] | None, *, doubtful: bool = False
    ) -> float | None:
        """Seconds to wait before the next attempt; None to give up.

        Args:
            status: Status code of the response; None if there was none.
            headers: Headers of the response.
            doubtful: The response may not be final: retry for the `fault_budget`, whatever the status code
                is.
        """
        now = self._clock()
        if self._started is None:
            self._started = now
        elapsed = now - self._started
        if self.policy.attempts is not None and self.made >= self.policy.attempts:
            return None
        if status == 402:
            return BILLING_PAUSE if elapsed + BILLING_PAUSE <= self.billing_budget else None
        if status is not None and not doubtful and not is_retried(status, headers or {}):
            return None
        pause = retry_after(headers or {})
        if pause is None:
            policy = self.policy
            doubled = policy.first_pause * 2.0 ** min(self.made - 1, 30)
            fifth = max(elapsed / 5, 2 * policy.first_pause)
            pause = jittered(min(doubled, fifth, policy.longest_pause), policy.jitter)
        budget = self.policy.budget
        if (doubtful or status == 500) and (headers or {}).get("x-should-retry") != "true":
            budget = min(budget, self.policy.fault_budget)
        return pause if elapsed + pause <= budget else None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The pause that the server asks for, in seconds; None unless it is between 0 and 60."""
    seconds: float | None = None
    try:
        if (text := headers.get("retry-after-ms")) is not None:
            seconds = float(text) / 1000
        elif (text := headers.get("retry-after")) is not None:
            try:
                seconds = float(text)
            except ValueError:
                seconds = (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return seconds if seconds is not None and 0 < seconds <= 60 else None
