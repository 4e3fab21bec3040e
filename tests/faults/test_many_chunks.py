"""A batch of many chunks: no more of it is under way than the server allows, and all of it arrives once."""

from __future__ import annotations

import queue
import threading
from typing import Any

import numpy as np
import pytest

import tinker
from tests.support.scripted_server import Answer, ScriptedServer
from tinker import types

CHUNK = 500_000
"""Tokens, and so 16 bytes as many."""


class Reluctant(ScriptedServer):
    """Takes no batch before it is told to, and counts how many are waiting."""

    def __init__(self, allowed: int) -> None:
        config = {
            "fwdbwd_dispatch_bytes_semaphore_size": allowed,
            "fwdbwd_max_chunk_bytes_count": 10**9,
        }
        super().__init__(config=[(200, config)])
        self.arrived: queue.Queue[int] = queue.Queue()
        self.taken = threading.Semaphore(0)
        self.waiting = self.most_waiting = 0
        self._count = threading.Lock()

    def answer(self, operation: str, content: bytes, headers: dict[str, str]) -> Answer:
        if operation == "retrieve_future":
            request_id = self._request_id(super().answer, operation, content, headers)
            return 200, self._result(request_id)
        answer = super().answer(operation, content, headers)
        if operation != "forward_backward":
            return answer
        with self._count:
            self.waiting += 1
            self.most_waiting = max(self.most_waiting, self.waiting)
        self.arrived.put(len(content))
        self.taken.acquire()
        with self._count:
            self.waiting -= 1
        return answer

    def _request_id(self, answer: Any, *request: Any) -> str:
        answer(*request)
        return str(self.seen["retrieve_future"][-1]["request_id"])

    def _result(self, request_id: str) -> dict[str, Any]:
        if request_id.endswith(":0"):
            return {"type": "create_model", "model_id": "s:train:0"}
        return {"loss_fn_output_type": "x", "loss_fn_outputs": [{}], "metrics": {"loss:sum": 1.0}}


@pytest.mark.parametrize(("allowed", "at_once"), [(16 * CHUNK, 1), (2 * 16 * CHUNK, 2), (1, 1)])
def test_no_more_chunks_are_under_way_than_allowed(allowed: int, at_once: int) -> None:
    tokens = np.zeros(CHUNK, np.int32)
    datum = tinker.Datum(
        types.ModelInput.from_ints(tokens),
        {"target_tokens": tokens.astype(np.int64), "weights": np.ones(CHUNK, np.float32)},
    )
    with Reluctant(allowed) as server:
        service = tinker.ServiceClient(base_url=server.url, api_key="tml-secret")
        training = service.create_lora_training_client("m").result(timeout=10)
        first = tinker.Datum(types.ModelInput.from_ints([1, 2]))
        server.taken.release()  # the first batch shows how the server takes them
        training.forward_backward([first], "cross_entropy").result(timeout=30)
        server.arrived.get()
        future = training.forward_backward([datum] * 5, "cross_entropy")
        for _ in range(at_once):
            server.arrived.get(timeout=30)
        for _ in range(5 - at_once):
            server.taken.release()
            assert server.arrived.get(timeout=30) > 16 * CHUNK
        for _ in range(at_once):
            server.taken.release()
        result = future.result(timeout=30)
        service.close().result()
    assert server.most_waiting == at_once
    assert result.metrics == {"loss:sum": 5.0, "loss:mean": 1 / CHUNK}
    assert future.progress is not None and future.progress.seq_ids == [2, 3, 4, 5, 6]
    assert len(server.seen["forward_backward"]) == 6
