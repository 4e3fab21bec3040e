"""Cancels samples on the server that nobody waits for any more."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque

from tinker import _log
from tinker._protocol.connection import Connection, ignore
from tinker._protocol.progress import Progress
from tinker.errors import TinkerError
from tinker_api import models
from tinker_api.api.futures import cancel_future
from tinker_api.types import Response

_TIMEOUT = 30.0


class Cancellations:
    """One request for each sample, a bounded number at a time. Used only on the library's event loop."""

    def __init__(self, connection: Connection) -> None:
        self.config = models.ClientDynamicConfigResponse()
        """The server's settings: whether it offers cancellation, and how many requests at a time."""
        self._connection = connection
        self._ids: deque[str] = deque()
        self._telling: set[asyncio.Task[None]] = set()
        self._promised: set[asyncio.Task[Response[models.UntypedAPIFuture]]] = set()

    @property
    def are_wanted(self) -> bool:
        """Whether the server cancels samples."""
        return self.config.sample_cancel_enabled

    def add(self, request_id: str) -> None:
        """Cancel a promise that nobody waits for any more."""
        if not self.are_wanted:
            return
        self._ids.append(request_id)
        if len(self._telling) < max(self.config.sample_cancel_max_batch_size, 1):
            task = asyncio.get_running_loop().create_task(self._tell())
            self._telling.add(task)
            task.add_done_callback(self._telling.discard)

    def add_when_promised(self, sending: asyncio.Task[Response[models.UntypedAPIFuture]]) -> None:
        """Cancel a sample whose request is being sent. The request is sent to the end, because the server may already have it."""
        self._promised.add(sending)
        give_up = asyncio.get_running_loop().call_later(_TIMEOUT, sending.cancel)

        def sent(task: asyncio.Task[Response[models.UntypedAPIFuture]]) -> None:
            give_up.cancel()
            self._promised.discard(task)
            if task.cancelled() or task.exception() is not None:
                return
            if task.result().status_code < 300:
                with contextlib.suppress(TinkerError):
                    promise = self._connection.parse(task.result(), Progress("asample"))
                    self.add(promise.request_id)

        sending.add_done_callback(sent)

    async def _tell(self) -> None:
        while self._ids:
            request_id = self._ids.popleft()
            try:
                await self._connection.call(
                    cancel_future.request(body=models.CancelFutureRequest(request_id=request_id)),
                    Progress("cancel_future", {"request_id": request_id}),
                    timeout=_TIMEOUT,
                    read=ignore,
                )
            except TinkerError as error:
                _log.NOT_CANCELLED(error=error)

    async def flush(self) -> None:
        """Wait until all cancellations are sent."""
        while tasks := {*self._telling, *self._promised}:
            await asyncio.wait(tasks)
