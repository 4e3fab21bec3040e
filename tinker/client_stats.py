"""`ClientStats`: what a client has done so far, in numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from attrs import fields, frozen


@frozen(kw_only=True)
class Latency:
    """How long something took, in seconds. Percentiles are within 2.5 %."""

    count: int
    mean: float
    p50: float
    p95: float
    p99: float
    max: float


@frozen(kw_only=True)
class OperationStats:
    """Calls of one operation, such as `forward_backward`."""

    done: int
    failed: int
    cancelled: int
    latency: Latency
    """From the call to the result, of the calls that are done."""


@frozen(kw_only=True)
class RequestStats:
    """Requests of one operation of the contract; each attempt counts."""

    attempts: int
    failed: int
    """Attempts without a response, or with a status code of 400 or more."""
    bytes_sent: int
    """Size of the request bodies."""
    bytes_received: int
    """Size of the response bodies, decompressed; streams are not included."""
    latency: Latency
    """From the first byte sent to the last byte received, of the attempts with a response. Long polls are included."""


@frozen(kw_only=True)
class Waited:
    """Seconds spent waiting, by cause. Concurrent waits add up."""

    server: float
    """For responses, except while the queue was paused."""
    queue: float
    """While the server reported that its queue was paused."""
    rate_limit: float
    """After a 429, or while the queue was paused because of a rate limit."""
    billing: float
    """After a 402: while billing was paused."""
    retry: float
    """Between attempts, for any other reason."""


@frozen(kw_only=True, repr=False)
class ClientStats:
    """What a client has done so far. `print` and notebooks show it as a table.

    It counts all clients of one `ServiceClient`, which share a session. `attrs.asdict` makes a dict of it.
    """

    seconds: float
    """Seconds since the client was created."""
    under_way: int
    """Operations that have not ended."""
    operations: Mapping[str, OperationStats]
    """By name, as errors and log lines have it."""
    requests: Mapping[str, RequestStats]
    """By operationId."""
    retries: Mapping[str, int]
    """By cause: a status code, `no response`, `timeout`, `unusable response`, `sample failed`."""
    polls: int
    """Responses to polls for results."""
    encoding: str | None
    """The encoding of batches, `json` or `protobuf`; None before the first batch."""
    waited: Waited

    @property
    def bytes_sent(self) -> int:
        """Size of all request bodies."""
        return sum(one.bytes_sent for one in self.requests.values())

    @property
    def bytes_received(self) -> int:
        """Size of all response bodies, decompressed."""
        return sum(one.bytes_received for one in self.requests.values())

    def __repr__(self) -> str:
        lines = [f"<ClientStats: {self._summary()}", *(f"  {line}" for line in self._lines())]
        for table in self._tables():
            widths = [max(map(len, column)) for column in zip(*table, strict=True)]
            lines.append("")
            lines += [
                "  " + "  ".join(
                    cell.rjust(width) if place else cell.ljust(width)
                    for place, (cell, width) in enumerate(zip(row, widths, strict=True))
                )
                for row in table
            ]  # fmt: skip
        return "\n".join(lines) + ">"

    def _repr_html_(self) -> str:
        text = "<br>".join(escape(line) for line in [self._summary(), *self._lines()])
        return f"<p>{text}</p>" + "".join(map(_html, self._tables()))

    def _summary(self) -> str:
        return (
            f"{self.seconds:.1f} s, {self.under_way} under way, {self.polls} polls, "
            f"{_size(self.bytes_sent)} sent, {_size(self.bytes_received)} received, "
            f"batches in {self.encoding or 'an encoding not known yet'}"
        )

    def _lines(self) -> Iterable[str]:
        causes = ((one.name, getattr(self.waited, one.name)) for one in fields(Waited))
        waited = [f"{name.replace('_', ' ')} {_time(value)}" for name, value in causes if value]
        if waited:
            yield f"waited: {', '.join(waited)}"
        if self.retries:
            yield f"retries: {', '.join(f'{cause}: {n}' for cause, n in self.retries.items())}"

    def _tables(self) -> Iterable[list[list[str]]]:
        percentiles = ["p50", "p95", "p99", "max"]
        if self.operations:
            yield [
                ["operation", "done", "failed", "cancelled", *percentiles],
                *(
                    [name, str(one.done), str(one.failed), str(one.cancelled), *_of(one.latency)]
                    for name, one in self.operations.items()
                ),
            ]
        if self.requests:
            yield [
                ["request", "attempts", "failed", "sent", "received", *percentiles],
                *(
                    [
                        *(name, str(one.attempts), str(one.failed)),
                        *(_size(one.bytes_sent), _size(one.bytes_received), *_of(one.latency)),
                    ]
                    for name, one in self.requests.items()
                ),
            ]


def _of(latency: Latency) -> list[str]:
    if not latency.count:
        return ["-"] * 4
    return [_time(value) for value in (latency.p50, latency.p95, latency.p99, latency.max)]


def _time(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds >= 1 else f"{seconds * 1000:.3g} ms"


def _size(count: int) -> str:
    if count < 1000:
        return f"{count} B"
    return f"{count / 1e3:.3g} kB" if count < 1e6 else f"{count / 1e6:,.1f} MB"


def _html(table: Sequence[Sequence[str]]) -> str:
    head, *rows = table
    cells = ["".join(f"<th>{escape(cell)}</th>" for cell in head)]
    cells += ["".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows]
    return "<table>" + "".join(f"<tr>{row}</tr>" for row in cells) + "</table>"
