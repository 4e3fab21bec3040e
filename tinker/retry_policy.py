"""`RetryPolicy`: how persistently the requests of a client are retried."""

from __future__ import annotations

import math
from typing import Any

from attrs import Attribute, field, frozen


def _at_least(least: float, most: float = math.inf, kinds: Any = int | float) -> Any:
    kind = "an integer" if kinds is int else "a number"
    allowed = (
        f"{kind} of at least {least:g}"
        if most == math.inf
        else f"{kind} from {least:g} to {most:g}"
    )

    def check(policy: object, attribute: Attribute[Any], value: object) -> None:
        if value is None and attribute.default is None:
            return
        if isinstance(value, bool) or not isinstance(value, kinds) or not least <= value <= most:
            none = ", or None" if attribute.default is None else ""
            raise ValueError(f"{attribute.name} is {value!r}; it must be {allowed}{none}.")

    return check


@frozen
class RetryPolicy:
    """How persistently requests are retried: `ServiceClient(retry=RetryPolicy(budget=60))`.

    It applies to every request, including training; `RetryConfig` applies to samples that failed or were lost.
    docs/retries.md says which responses are retried, and shows what an outage of the server looks like with many clients.

    Raises:
        ValueError: A value is out of its range.
    """

    budget: float = field(default=300.0, validator=_at_least(0))
    """Seconds after the first failure within which the last attempt begins; 0 means no retries. A server that has never
    responded gets a sixtieth of it, a request of a training run or a sample three times as much."""
    fault_budget: float = field(default=60.0, validator=_at_least(0))
    """The same if the response is a plain 500, does not match the operation, or comes from a proxy. Requests that create a
    client get a quarter of it, and those whose loss costs nothing a twentieth."""
    first_pause: float = field(default=0.5, validator=_at_least(0))
    """Seconds until the second attempt. Pauses double, but none is longer than a fifth of the time since the first
    failure, so that no work waits long after an outage has ended."""
    longest_pause: float = field(default=10.0, validator=_at_least(0))
    """Seconds; three times as many for polls."""
    jitter: float = field(default=0.25, validator=_at_least(0, 1))
    """Maximum fraction by which a pause is shortened at random; 0 to 1."""
    attempts: int | None = field(default=None, kw_only=True, validator=_at_least(1, kinds=int))
    """Maximum number of attempts of one request; None means as many as the budget allows."""
    poll_budget: float = field(default=3600.0, kw_only=True, validator=_at_least(0))
    """As `budget`, for polls: what they wait for may be worth hours of work."""
    retries_per_second: float = field(default=10.0, kw_only=True, validator=_at_least(0.001))
    """Maximum number of retries per second of one client; more are spread out. Each success allows one more."""
    burst: int = field(default=10, kw_only=True, validator=_at_least(1, kinds=int))
    """Number of retries that are not spread out, after a while without retries."""
    deadline: float | None = field(default=None, kw_only=True, validator=_at_least(0))
    """Seconds from the call of an operation to its result, after which it fails with `APITimeoutError`. A training run
    is poisoned if the server may have accepted the operation by then; if it was accepted, the run goes on."""
    attempt_timeout: float | None = field(default=None, kw_only=True, validator=_at_least(0.001))
    """Timeout of one attempt in seconds, except for polls; None means 60, or 600 where a server may load a model first."""
