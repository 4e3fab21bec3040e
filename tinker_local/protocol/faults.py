"""Faults on purpose, to test how clients handle them.

A rule says which operation fails, how, and how often:

    OPERATION:KIND[:p=0.5][:times=3][:seed=1]

`OPERATION` is an operationId of the contract, such as `optim_step`, or `*` for all. `p` is the probability
that a rule applies to a request, 1 by default; `times` is the maximum number of times; `seed` makes the choices
repeatable, 0 by default. The first rule that applies to a request is used. Kinds:

    status=500      reject it with this status code, and do nothing
    delay=0.2       do it after so many seconds
    drop=before     close the connection instead of doing it
    drop=after      do it, and close the connection instead of responding
    duplicate       do it twice, as if it had been sent twice, and respond once
    truncate        do it, and close the connection in the middle of the response
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from attrs import define, field
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tinker._codec import media_types
from tinker_local.protocol import contract
from tinker_local.protocol.wire import bodies

logger = logging.getLogger("tinker_local")

ALL = "*"


class FaultRuleError(ValueError):
    """The string is not a rule."""


@define
class Fault:
    """A rule, and how often it has applied."""

    operation: str
    kind: str
    value: str = ""
    probability: float = 1.0
    times: int | None = None
    struck: int = 0
    _random: random.Random = field(factory=lambda: random.Random(0))  # noqa: S311

    @classmethod
    def parse(cls, rule: str) -> Fault:
        """The fault a rule describes.

        Raises:
            FaultRuleError: It is not a rule; the message says why.
        """
        operation, _, rest = rule.partition(":")
        what, *settings = rest.split(":")
        if operation != ALL and operation not in _operation_ids():
            raise FaultRuleError(f"{rule!r}: the contract has no operation {operation!r}")
        kind, _, value = what.partition("=")
        if not _is_kind(kind, value):
            raise FaultRuleError(
                f"{rule!r}: {what!r} is not status=CODE, delay=SECONDS, drop=before, drop=after, "
                "duplicate or truncate"
            )
        fault = cls(operation, kind, value)
        for setting in settings:
            fault._set(rule, *setting.partition("=")[::2])
        return fault

    def _set(self, rule: str, name: str, value: str) -> None:
        try:
            match name:
                case "p" if 0 <= float(value) <= 1:
                    self.probability = float(value)
                case "times" if int(value) >= 0:
                    self.times = int(value)
                case "seed":
                    self._random.seed(int(value))
                case _:
                    raise ValueError
        except ValueError:
            raise FaultRuleError(
                f"{rule!r}: {name}={value} is not p=PROBABILITY, times=NUMBER or seed=NUMBER"
            ) from None

    def strikes(self, operation_id: str) -> bool:
        """Whether the rule applies to a request of this operation. Each call counts as a request."""
        if self.operation not in (ALL, operation_id) or self.struck == self.times:
            return False
        if self._random.random() >= self.probability:
            return False
        self.struck += 1
        return True


def _operation_ids() -> Collection[str]:
    return {operation.operation_id for operation in contract.operations()}


def _is_kind(kind: str, value: str) -> bool:
    match kind:
        case "status":
            return value.isdecimal() and 400 <= int(value) <= 599
        case "delay":
            return value.replace(".", "", 1).isdecimal()
        case "drop":
            return value in ("before", "after")
        case _:
            return kind in ("duplicate", "truncate") and not value


class FaultyApp:
    """An ASGI application that applies faults to requests and responses."""

    def __init__(self, app: ASGIApp, routes: Iterable[Route], faults: Sequence[Fault]) -> None:
        self._app = app
        self._routes = list(routes)
        self._faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        fault = self._fault(scope) if scope["type"] == "http" else None
        if fault is None:
            await self._app(scope, receive, send)
            return
        logger.info("fault: %s %s %s", scope["path"], fault.kind, fault.value)
        match fault.kind, fault.value:
            case "status", status:
                await _refuse(int(status), receive, send)
            case "delay", seconds:
                await asyncio.sleep(float(seconds))
                await self._app(scope, receive, send)
            case "drop", "before":
                await _hang_up(receive, send)
            case "drop", "after":
                await self._answer(scope, receive)
                await _hang_up(receive, send)
            case "duplicate", _:
                body = await _body(receive)
                await self._answer(scope, _replayed(body))
                await self._app(scope, _replayed(body), send)
            case _:
                await _truncate(await self._answer(scope, receive), receive, send)

    def _fault(self, scope: Scope) -> Fault | None:
        for route in self._routes:
            if route.matches(scope)[0] is Match.FULL:
                return next((fault for fault in self._faults if fault.strikes(route.name)), None)
        return None

    async def _answer(self, scope: Scope, receive: Receive) -> list[Message]:
        """Execute the request, and keep the response."""
        response: list[Message] = []

        async def keep(message: Message) -> None:
            response.append(message)

        await self._app(dict(scope), receive, keep)
        return response


async def _refuse(status: int, receive: Receive, send: Send) -> None:
    await _body(receive)
    content = bodies.dumps({"detail": "A fault on purpose"})
    headers = [
        (b"content-type", media_types.JSON.encode()),
        (b"content-length", b"%d" % len(content)),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


async def _truncate(response: Sequence[Message], receive: Receive, send: Send) -> None:
    start, *bodies = response
    content = b"".join(message.get("body", b"") for message in bodies)
    await send(start)
    half = content[: len(content) // 2]
    await send({"type": "http.response.body", "body": half, "more_body": True})
    await _hang_up(receive, send)


async def _hang_up(receive: Receive, send: Send) -> None:
    """Close the connection. ASGI has no message for it, so it goes through the owner of uvicorn's `send`."""
    connection: Any = getattr(send, "__self__")  # noqa: B009
    connection.transport.close()
    while (await receive())["type"] != "http.disconnect":
        pass


async def _body(receive: Receive) -> bytes:
    pieces = []
    while (message := await receive())["type"] == "http.request":
        pieces.append(message.get("body", b""))
        if not message.get("more_body"):
            break
    return b"".join(pieces)


def _replayed(body: bytes) -> Receive:
    """A `receive` that returns this body."""

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
