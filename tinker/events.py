"""Events that an observer receives while a client works: `client.observe(function)`.

An observer is a function of one argument, an event. The client calls it on its own thread, in the order in which things
happen. It must return at once; an exception in it is logged once and has no other effect.

    from tinker import events

    def observer(event: events.Event) -> None:
        match event:
            case events.QueueState(state=state, reason=reason):
                print("the queue is", state, reason or "")
            case events.Result(operation="optim_step", value=response):
                print(response.metrics)

    stop = client.observe(observer)

No event contains a credential. A `Result` holds what the caller gets, which may be text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple, TypeAlias

# Named tuples are made three times as fast as frozen attrs classes, and a client makes several for each sample.


class Request(NamedTuple):
    """One attempt of a request has ended, with a response or without."""

    operation: str
    """The operationId of the request, such as `retrieve_future`."""
    purpose: str
    """The operation that it serves, such as `optim_step`; often the same."""
    ids: Mapping[str, str]
    """The objects it works on, such as `{"model_id": …}`."""
    attempt: int
    """From 1."""
    status: int | None
    """Status code of the response; None if there was none."""
    error: str | None
    """Why there was no response: the name of the exception."""
    seconds: float
    bytes_sent: int
    """Size of the body."""
    bytes_received: int
    """Size of the body, decompressed; 0 for a stream."""


class Retry(NamedTuple):
    """A request, or a whole sample, is tried again after a pause."""

    operation: str
    purpose: str
    ids: Mapping[str, str]
    attempt: int
    """Attempts so far."""
    cause: str
    """A status code; `no response`, `timeout` or `unusable response`; `sample failed`."""
    error: Exception | None
    """What is raised if no further attempt succeeds."""
    pause: float
    """Seconds until the next attempt, or later where samples wait for each other."""


PollState: TypeAlias = Literal["pending", "ready", "failed", "done"]


class Poll(NamedTuple):
    """The server has responded to a poll."""

    operation: str
    """The operation whose result is polled for."""
    ids: Mapping[str, str]
    request_id: str
    state: PollState
    """`ready`: the result can be fetched, and is fetched when there is room for it."""
    queue_state: str
    """`active`, `paused_capacity`, `paused_rate_limit`, or another state of a newer server."""
    queue_reason: str | None
    seconds: float
    """How long the server held it."""


class QueueState(NamedTuple):
    """The state of the server's queue has changed for an operation."""

    operation: str
    ids: Mapping[str, str]
    state: str
    """As `Poll.queue_state`."""
    reason: str | None


class Result(NamedTuple):
    """An operation has ended, just before its future has the result."""

    operation: str
    ids: Mapping[str, str]
    seq_ids: tuple[int, ...]
    request_ids: tuple[str, ...]
    value: object
    """What the caller gets; None if it failed."""
    error: BaseException | None
    """The exception if it failed; `asyncio.CancelledError` if it was cancelled."""
    seconds: float
    """Seconds since the call."""


Event: TypeAlias = Request | Retry | Poll | QueueState | Result
Observer: TypeAlias = Callable[[Event], object]
