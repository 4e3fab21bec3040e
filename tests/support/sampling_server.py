"""A server that samples as a test says: how many at once, how they are asked for, which answers are lost.

A sample is its prompt: that a caller gets what it asked for can be seen in the tokens.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import threading
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self

import tinker
from tests.support.raw_server import Peer, serve
from tinker.retry_config import RetryConfig

Answer = tuple[int, Any]


class SamplingServer:
    """`with SamplingServer(feed=True) as server:`; what it has seen and done is in its attributes.

    Args:
        feed: Whether the client is to use the completions feed.
        capacity: Unfinished samples it takes; more are answered 429. None: any number.
        per_tick: Samples it finishes in each millisecond. 0: those that `finish` names.
        lose: Given the number of a request, from 1, and its operation: whether its answer is lost on the way.
        config: More settings for the client.
        dynamic_config: More of those that may change.
        stream: Answers `stream_sample`, given the connection and the request's body; None: there is no such route.
    """

    def __init__(
        self,
        *,
        feed: bool = False,
        capacity: int | None = None,
        per_tick: int = 10,
        lose: Callable[[int, str], bool] = lambda number, operation: False,
        config: dict[str, Any] | None = None,
        dynamic_config: dict[str, Any] | None = None,
        stream: Callable[[Peer, dict[str, Any]], Awaitable[None]] | None = None,
    ) -> None:
        self.config = {"sample_use_retrieve_futures": feed, **(config or {})}
        self.dynamic_config = {
            "sample_cancel_enabled": True, "sample_cancel_max_batch_size": 4, **(dynamic_config or {}),
        }  # fmt: skip
        self.requests: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        """Bodies by operation, in the order in which they came."""
        self.refused = 0
        """Samples answered with 429."""
        self.sampled: dict[int, list[int]] = {}
        """Prompts by seq_id, in the order in which they were taken."""
        self.unfinished: dict[str, list[int]] = {}
        self.results: dict[str, list[int]] = {}
        self.cancelled: list[str] = []
        self.acknowledged: set[str] = set()
        self.at_once: Counter[str] = Counter()
        """The most requests of an operation that were being answered at once."""
        self.peak_connections = 0
        self.routes: dict[str, Callable[[dict[str, Any]], Awaitable[Answer]]] = {
            "config": self._config,
            "dynamic_config": self._dynamic_config,
            "create_session": self._create_session,
            "session_heartbeat": self._nothing,
            "finish": self._nothing,
            "create_sampling_session": self._create_sampling_session,
            "asample": self._asample,
            "retrieve_future": self._retrieve_future,
            "retrieve_futures": self._retrieve_futures,
            "cancel_future": self._cancel_future,
            "join_sampling_session": self._join_sampling_session,
        }
        """Coroutine functions from a body to an answer; without one, an operation is 404."""
        self.stream = stream
        self._capacity, self._per_tick, self._lose = capacity, per_tick, lose
        self._numbers, self._clones = itertools.count(1), itertools.count(1)
        self._events: list[dict[str, Any]] = []
        self._answering: Counter[str] = Counter()
        self._ends: dict[str, asyncio.Event] = {}
        self._connections = 0
        self._services = contextlib.ExitStack()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    # ---- what a test does -------------------------------------------------------------------

    def sampler(
        self, retry_config: RetryConfig | None = None, base_model: str = "tinker-local/tiny"
    ) -> tinker.SamplingClient:
        """A client, which is closed before the server is."""
        service = self._services.enter_context(tinker.ServiceClient(base_url=self.url))
        made = service.create_sampling_client(base_model=base_model, retry_config=retry_config)
        return made.result(timeout=10)

    def call(self, function: Callable[[], object]) -> None:
        """Call a function on the server's event loop."""
        self._loop.call_soon_threadsafe(function)

    def finish(self, count: int) -> None:
        """Finish the oldest samples."""
        self._loop.call_soon_threadsafe(self._finish, count)

    def fail(self, request_id: str) -> None:
        """Fail a sample."""
        self._loop.call_soon_threadsafe(self._end, request_id, "failed")

    def wait_until(self, holds: Callable[..., bool], timeout: float = 20) -> None:
        """Return as soon as something is so."""

        async def wait() -> None:
            async with self._changed:
                await self._changed.wait_for(holds)

        asyncio.run_coroutine_threadsafe(wait(), self._loop).result(timeout)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # After a failure the clients do not wait for what is pending: the test says what failed, at once.
        self._services.__exit__(exc_type, exc_value, traceback)
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()

    # ---- the server -------------------------------------------------------------------------

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._changed, self._over = asyncio.Condition(), asyncio.Event()
        self._new_event = asyncio.Event()
        async with serve(self._peer) as server:
            self.url = server.url.rstrip("/")
            ticking = asyncio.create_task(self._tick())
            self._ready.set()
            await self._over.wait()
            ticking.cancel()

    async def _tick(self) -> None:
        while self._per_tick:
            await asyncio.sleep(0.001)
            self._finish(self._per_tick)

    async def _peer(self, peer: Peer) -> None:
        self._connections += 1
        self.peak_connections = max(self.peak_connections, self._connections)
        try:
            while await self._exchange(peer):
                pass
        finally:
            self._connections -= 1

    async def _exchange(self, peer: Peer) -> bool:
        head, content = await peer.request()
        operation = head.split(b" ", 2)[1].decode().rpartition("/")[2]
        body = json.loads(content or b"{}")
        number = next(self._numbers)
        self.requests[operation].append(body)
        self._answering[operation] += 1
        self.at_once[operation] = max(self.at_once[operation], self._answering[operation])
        await self._notify()
        try:
            if operation == "stream_sample" and self.stream is not None:
                await self.stream(peer, body)
                return False
            route = self.routes.get(operation)
            status, answer = (404, {"detail": "Not Found"}) if route is None else await route(body)
        finally:
            self._answering[operation] -= 1
            await self._notify()
        if self._lose(number, operation):
            return False
        payload = json.dumps(answer).encode()
        await peer.send(
            b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
            % (status, len(payload), payload)
        )
        return True

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def _finish(self, count: int) -> None:
        for request_id in list(itertools.islice(self.unfinished, count)):
            self.results[request_id] = self.unfinished[request_id]
            self._end(request_id, "finished")

    def _end(self, request_id: str, state: str) -> None:
        del self.unfinished[request_id]
        self._events.append({"state": state, "request_id": request_id})
        self._ends[request_id].set()
        self._new_event.set()

    # ---- its routes -------------------------------------------------------------------------

    async def _config(self, body: dict[str, Any]) -> Answer:
        return 200, self.config

    async def _dynamic_config(self, body: dict[str, Any]) -> Answer:
        return 200, self.dynamic_config

    async def _create_session(self, body: dict[str, Any]) -> Answer:
        return 200, {"type": "create_session", "session_id": "s"}

    async def _nothing(self, body: dict[str, Any]) -> Answer:
        return 200, {}

    async def _create_sampling_session(self, body: dict[str, Any]) -> Answer:
        return 200, {"type": "create_sampling_session", "sampling_session_id": "s:sample:0"}

    async def _join_sampling_session(self, body: dict[str, Any]) -> Answer:
        return 200, {"client_counter": next(self._clones), "type": "join_sampling_session"}

    async def _asample(self, body: dict[str, Any]) -> Answer:
        seq_id, tokens = body["seq_id"], body["prompt"]["chunks"][0]["tokens"]
        request_id = f"s:sample:0:{seq_id}"
        if seq_id not in self.sampled:
            if self._capacity is not None and len(self.unfinished) >= self._capacity:
                self.refused += 1
                return 429, {"detail": "later"}
            self.sampled[seq_id] = tokens
            self.unfinished[request_id] = tokens
            self._ends[request_id] = asyncio.Event()
            await self._notify()
        assert self.sampled[seq_id] == tokens, "a seq_id stands for one prompt"
        return 200, {"request_id": request_id}

    async def _retrieve_future(self, body: dict[str, Any]) -> Answer:
        request_id = body["request_id"]
        await self._ends[request_id].wait()
        if request_id not in self.results:
            return 200, {"error": "out of luck", "category": "server"}
        tokens = self.results[request_id]
        return 200, {"sequences": [{"stop_reason": "stop", "tokens": tokens, "logprobs": None}]}

    async def _retrieve_futures(self, body: dict[str, Any]) -> Answer:
        cursor = body.get("prev_cursor", 0)
        self.acknowledged.update(body.get("retrieved_request_ids", ()))
        if body.get("timeout") != 0:
            while len(self._events) <= cursor:
                self._new_event.clear()
                await self._new_event.wait()
        return 200, {"completions": self._events[cursor:], "cursor": len(self._events)}

    async def _cancel_future(self, body: dict[str, Any]) -> Answer:
        request_id = body["request_id"]
        self.cancelled.append(request_id)
        if request_id in self.unfinished:
            self._end(request_id, "failed")
        return 200, {}
