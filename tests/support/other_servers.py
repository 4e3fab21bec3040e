"""Servers that answer as three others do where they differ from the contract, each in its own way.

They keep just enough state for a session: what they compute is made up.
"""

from __future__ import annotations

import itertools
import json
import threading
from typing import Any

import numpy as np

from tests.support.scripted_server import Answer, ScriptedServer
from tinker_proto import tinker_pb2 as pb

NOT_FOUND: Answer = (404, {"detail": "Not Found"})


class OtherServer(ScriptedServer):
    """Answers by the methods named for the operations; what has none, or is among the missing, is not there."""

    missing: frozenset[str] = frozenset()

    def answer(self, operation: str, content: bytes, headers: dict[str, str]) -> Answer:
        super().answer(operation, content, headers)
        handle = getattr(self, f"on_{operation}", None)
        if handle is None or operation in self.missing:
            return NOT_FOUND
        is_json = headers.get("content-type", "") == "application/json"
        body = json.loads(content) if is_json and content else content
        with self._lock:
            answer: Answer = self.refuse(operation, body, headers) or handle(body, headers)
        return answer

    def refuse(self, operation: str, body: Any, headers: dict[str, str]) -> Answer | None:
        return None

    @property
    def requests(self) -> int:
        return sum(map(len, self.seen.values()))


class Strict(OtherServer):
    """Forbids fields it does not know and numbers out of turn, reads protobuf alone, requires a known key.

    Failures of operations are statuses of the poll; an operation that failed before it began keeps its number.
    """

    MEMBERS = {
        "config": {"sdk_version"},
        "create_session": {"tags", "user_metadata", "sdk_version", "project_id", "type"},
        "create_model": {
            *("session_id", "model_seq_id", "base_model", "user_metadata", "lora_config", "type"),
        },
        "get_info": {"model_id", "type"},
        "optim_step": {"model_id", "seq_id", "adam_params", "type"},
        "save_weights": {"model_id", "path", "seq_id", "ttl_seconds", "overwrite", "type"},
        "save_weights_for_sampler": {
            *("model_id", "path", "sampling_session_seq_id", "seq_id", "ttl_seconds", "type"),
        },
        "load_weights": {
            *("model_id", "seq_id", "session_id", "model_seq_id", "base_model", "user_metadata"),
            *("path", "optimizer", "weights_access_token", "type"),
        },
        "create_sampling_session": {
            *("session_id", "sampling_session_seq_id", "base_model", "model_path", "type"),
        },
        "asample": {
            *("num_samples", "prompt", "sampling_params", "base_model", "model_path"),
            *("sampling_session_id", "seq_id", "prompt_logprobs", "topk_prompt_logprobs", "type"),
        },
        "retrieve_future": {"request_id", "allow_metadata_only"},
    }
    KEY = "tml-known"

    def __init__(self) -> None:
        super().__init__()
        self.results: dict[str, tuple[Any, ...]] = {}
        self.executed: list[tuple[int, str]] = []
        self.refuses_loads_from_others = False
        self._expected = 1
        self._ids = itertools.count()
        self._held: int | None = None
        self._overtaken = threading.Event()

    def hold_until_another_comes(self, seq_id: int) -> None:
        """Take the batch with this number after one that is sent at the same time."""
        self._held = seq_id
        self._overtaken.clear()

    def answer(self, operation: str, content: bytes, headers: dict[str, str]) -> Answer:
        number = None
        if operation == "forward_backward" and "protobuf" in headers["content-type"]:
            number = pb.ForwardBackwardRequest.FromString(content).seq_id
        if number is not None and number == self._held:
            assert self._overtaken.wait(10)
        answer = super().answer(operation, content, headers)
        if number != self._held:
            self._overtaken.set()
        return answer

    def refuse(self, operation: str, body: Any, headers: dict[str, str]) -> Answer | None:
        key = headers.get("x-api-key")
        if key != self.KEY:
            return (403, {"detail": "Invalid API key"}) if key else (401, {"detail": "Missing"})
        extra = set(body) - self.MEMBERS[operation] if operation in self.MEMBERS else set()
        issues = [
            {"type": "extra_forbidden", "loc": ["body", name], "msg": "Extra inputs", "input": 1}
            for name in sorted(extra)
        ]
        return (422, {"detail": issues}) if issues else None

    def promise(self, *result: Any) -> Answer:
        request_id = f"future-{next(self._ids)}"
        self.results[request_id] = result
        return 202, {"request_id": request_id, "model_id": None}

    def in_turn(self, seq_id: int, operation: str, result: Any) -> Answer:
        if seq_id != self._expected:
            text = f"Sequence conflict: expected {self._expected}, got {seq_id}."
            return self.promise(409, {"detail": f"Failed to retrieve future: {text}"})
        self._expected += 1
        self.executed.append((seq_id, operation))
        return self.promise(200, result)

    def on_config(self, body: Any, headers: dict[str, str]) -> Answer:
        return 200, {"parallel_fwdbwd_chunks": False}

    def on_create_session(self, body: Any, headers: dict[str, str]) -> Answer:
        return 201, {"type": "create_session", "session_id": "s", "info_message": None}

    def on_create_model(self, body: Any, headers: dict[str, str]) -> Answer:
        if body["base_model"] == "broken":
            return 500, {"detail": "Failed to create model: CUDA error"}
        return self.promise(200, {"model_id": "m", "type": "create_model"})

    def on_get_info(self, body: Any, headers: dict[str, str]) -> Answer:
        data = {"arch": "toy", "model_name": "base", "tokenizer_id": "base"}
        return 200, {"type": None, "model_data": data, "model_id": "m", "model_name": "base"}

    def on_forward_backward(self, body: Any, headers: dict[str, str]) -> Answer:
        if headers["content-type"] != "application/x-protobuf":
            return 415, {"detail": "Unsupported Content-Type"}
        request = pb.ForwardBackwardRequest.FromString(body)
        if request.loss_fn != "cross_entropy":
            return 422, {"detail": f"Invalid protobuf request: no loss_fn {request.loss_fn!r}"}
        output = pb.ForwardBackwardOutput(loss_fn_output_type="x", metrics={"loss:sum": 1.0})
        record = output.loss_fn_outputs.add(num_datums=len(request.data))
        lengths = [0, *(4 * len(datum.model_input) for datum in request.data)]
        record.fields["logprobs"].dtype = pb.DTYPE_FLOAT32
        record.fields["logprobs"].data = np.zeros(sum(lengths) // 4, "<f4").tobytes()
        record.fields["logprobs"].offsets = np.cumsum(lengths, dtype="<i8").tobytes()
        operation = "forward" if request.forward_only else "forward_backward"
        return self.in_turn(request.seq_id, operation, output.SerializeToString())

    def on_optim_step(self, body: Any, headers: dict[str, str]) -> Answer:
        return self.in_turn(body["seq_id"], "optim_step", {"metrics": None})

    def on_save_weights(self, body: Any, headers: dict[str, str]) -> Answer:
        result = {"path": f"tinker://m/weights/{body['path']}", "type": None}
        return self.in_turn(body["seq_id"], "save_weights", result)

    def on_save_weights_for_sampler(self, body: Any, headers: dict[str, str]) -> Answer:
        result = {"path": None, "sampling_session_id": "sampler", "type": None}
        return self.in_turn(body["seq_id"], "save_weights_for_sampler", result)

    def on_load_weights(self, body: Any, headers: dict[str, str]) -> Answer:
        if "model_id" not in body:
            return 400, {"detail": "Missing model_id"}
        if self.refuses_loads_from_others:
            conflict = "Failed to retrieve future: Sequence conflict: expected 26, got 1."
            return self.promise(409, {"detail": conflict})
        if body["path"].endswith("gone"):
            gone = "Failed to retrieve future: Checkpoint gone not found."
            return self.promise(404, {"detail": gone})
        return self.in_turn(body["seq_id"], "load_weights", {"path": body["path"], "type": None})

    def on_weights_info(self, body: Any, headers: dict[str, str]) -> Answer:
        if body["tinker_path"] == "tinker://m/weights/a":
            return 200, {"base_model": "base", "is_lora": True, "lora_rank": 8}
        return 500, b"Internal Server Error"

    def on_create_sampling_session(self, body: Any, headers: dict[str, str]) -> Answer:
        return 201, {"type": "create_sampling_session", "sampling_session_id": "sampler"}

    def on_asample(self, body: Any, headers: dict[str, str]) -> Answer:
        if body["seq_id"] == 13:
            late = "Failed to retrieve future: Timeout when waiting for sequence ID 13."
            return self.promise(408, {"detail": late})
        sequence = pb.SampledSequence(
            tokens=np.ones(2, "<i4").tobytes(), stop_reason=pb.STOP_REASON_STOP
        )
        scores = np.full(sum(len(chunk["tokens"]) for chunk in body["prompt"]["chunks"]), -1, "<f4")
        scores[0] = np.nan
        result = pb.SampleResponse(
            sequences=[sequence],
            prompt_logprobs=scores.tobytes() if body["prompt_logprobs"] else None,
        )
        return self.promise(200, result.SerializeToString())

    def on_retrieve_future(self, body: Any, headers: dict[str, str]) -> Answer:
        status, result = self.results[body["request_id"]]
        if isinstance(result, bytes):
            return status, result, {"Content-Type": "application/x-protobuf"}
        return status, result


class Loose(OtherServer):
    """Reads JSON alone, leaves out tags and routes, holds requests until models are there, ignores what it does not know."""

    def __init__(self) -> None:
        super().__init__()
        self.results: dict[str, Any] = {}

    def promise(self, **result: Any) -> Answer:
        request_id = f"fut_{len(self.results)}"
        self.results[request_id] = result
        return 200, {"request_id": request_id, "model_id": "m", "status": "pending"}

    def on_config(self, body: Any, headers: dict[str, str]) -> Answer:
        return 200, {"max_pipelined_requests": 64, "default_poll_interval_ms": 100}

    def on_get_server_capabilities(self, body: Any, headers: dict[str, str]) -> Answer:
        return 200, {"supported_models": [{"model_id": "base", "max_context_length": 512}]}

    def on_create_session(self, body: Any, headers: dict[str, str]) -> Answer:
        return 200, {"session_id": "s", "info_message": "created"}

    def on_create_model(self, body: Any, headers: dict[str, str]) -> Answer:
        if body["lora_config"]["rank"] > 64:
            return 403, {"detail": "Max rank for your tier: 64"}
        if body["base_model"] == "one too many":
            return 429, {"detail": "Max 5 concurrent sessions"}
        return self.promise(type="create_model", model_id="m")

    def on_get_info(self, body: Any, headers: dict[str, str]) -> Answer:
        data = {"arch": "base", "model_name": "base", "tokenizer_id": "base"}
        return 200, {"type": "get_info", "model_id": "m", "model_data": data}

    def on_forward_backward(self, body: Any, headers: dict[str, str]) -> Answer:
        if isinstance(body, bytes):
            return 500, b"Internal Server Error"
        if body["forward_backward_input"]["loss_fn"] == "dro":
            return 501, {"detail": "loss_fn 'dro' is declared but not yet implemented"}
        return self.losses(body["forward_backward_input"])

    def on_forward(self, body: Any, headers: dict[str, str]) -> Answer:
        return self.losses(body["forward_input"])

    def losses(self, batch: Any) -> Answer:
        logprobs = {"data": [-1.0, -2.0], "dtype": "float32", "shape": [2]}
        outputs = [{"logprobs": logprobs} for _ in batch["data"]]
        return self.promise(
            loss_fn_output_type="cross_entropy",
            loss_fn_outputs=outputs,
            metrics={"loss:mean": 1.5, "loss:sum": 3.0, "accum_steps:mean": 1.0},
        )

    def on_optim_step(self, body: Any, headers: dict[str, str]) -> Answer:
        if body["adam_params"]["learning_rate"] > 1:
            return self.promise(type="request_failed", error="diverged", category="user_error")
        return self.promise(type="optim_step", metrics={"step": 1.0})

    def on_save_weights(self, body: Any, headers: dict[str, str]) -> Answer:
        if body["path"] == "broken":
            trace = "KeyError: 'x'\nTraceback (most recent call last):\n  File /srv/worker.py"
            return 500, {"detail": trace}
        return self.promise(type="save_weights", path=f"tinker://m/checkpoints/{body['path']}")

    def on_create_sampling_session(self, body: Any, headers: dict[str, str]) -> Answer:
        if (body.get("model_path") or "").endswith("missing"):
            trace = "Sampler load_weights failed: KeyError: 'x'\nTraceback (most recent call last):"
            return 500, {"detail": trace}
        return self.promise(sampling_session_id="samp-m-0", base_model="base")

    def on_asample(self, body: Any, headers: dict[str, str]) -> Answer:
        return self.promise(
            sequences=[{"tokens": [1, 2], "stop_reason": "length", "logprobs": [-1.0, -2.0]}],
            prompt_logprobs=[-1.0] if body["prompt_logprobs"] else None,
            topk_prompt_logprobs=None,
        )

    def on_checkpoints(self, body: Any, headers: dict[str, str]) -> Answer:
        checkpoint = {
            "checkpoint_id": "a",
            "checkpoint_type": "training",
            "tinker_path": "tinker://m/checkpoints/a",
            "time": 1760000000.5,
            "expires_at": 1760003600.0,
            "public": False,
        }
        forgotten = {**checkpoint, "time": None, "expires_at": None}
        without_zone = {**checkpoint, "time": "2025-10-09T08:53:20.500000", "expires_at": None}
        listed = [checkpoint, forgotten, without_zone]
        return 200, {"model_id": "m", "checkpoints": listed, "cursor": None}

    def on_unload_model(self, body: Any, headers: dict[str, str]) -> Answer:
        issue = {"type": "missing", "loc": ["query", "model_id"], "msg": "Field required"}
        return 422, {"detail": [issue]}

    def on_retrieve_future(self, body: Any, headers: dict[str, str]) -> Answer:
        return 200, self.results[body["request_id"]]


class Early(OtherServer):
    """Reads JSON alone; has no settings, no forward passes, no samplers without a name and no way to ask for them.

    Paths of samplers have no kind, ids of requests are numbers, and fields it does not know are ignored.
    """

    def __init__(self) -> None:
        super().__init__()
        self.results: list[Answer] = []

    def promise(self, result: Any, status: int = 200) -> Answer:
        self.results.append((status, result))
        number = str(len(self.results))
        return 200, {"future_id": number, "status": "pending", "request_id": number}

    def on_create_session(self, body: Any, headers: dict[str, str]) -> Answer:
        return 200, {"type": "create_session", "session_id": "session_1"}

    def on_create_model(self, body: Any, headers: dict[str, str]) -> Answer:
        promise = self.promise({"model_id": "model_1", "base_model": "base"})[1]
        return 200, {**promise, "model_id": "model_1", "base_model": "base", "status": "created"}

    def on_get_info(self, body: Any, headers: dict[str, str]) -> Answer:
        data = {"base_model": "base", "lora_config": {"rank": 8}, "model_name": "base"}
        return 200, {"model_id": "model_1", "status": "created", "model_data": data}

    def on_forward_backward(self, body: Any, headers: dict[str, str]) -> Answer:
        if isinstance(body, bytes):
            return 500, b"Internal Server Error"
        outputs = [
            {"logprobs": {"data": [-1.0, -2.0]}} for _ in body["forward_backward_input"]["data"]
        ]
        return self.promise(
            {"loss_fn_output_type": "scalar", "loss_fn_outputs": outputs, "metrics": {}}
        )

    def on_optim_step(self, body: Any, headers: dict[str, str]) -> Answer:
        if body["adam_params"]["learning_rate"] > 1:
            return self.promise({"detail": "Unknown error"}, 500)
        return self.promise({})

    def on_save_weights_for_sampler(self, body: Any, headers: dict[str, str]) -> Answer:
        if body.get("path") is None:
            issue = {"type": "missing", "loc": ["body", "path"], "msg": "Field required"}
            return 422, {"detail": [issue]}
        return self.promise({"path": f"tinker://model_1/{body['path']}"})

    def on_load_weights(self, body: Any, headers: dict[str, str]) -> Answer:
        refused = f"LoadWeights is not permitted with seq_id {body['seq_id']}"
        return 400, {"detail": refused}

    def on_create_sampling_session(self, body: Any, headers: dict[str, str]) -> Answer:
        return 200, {"type": "create_sampling_session", "sampling_session_id": "sampling_1"}

    def on_asample(self, body: Any, headers: dict[str, str]) -> Answer:
        if body["prompt"]["chunks"][0]["tokens"] == [9]:
            return 500, {"detail": "Checkpoint creation failed: disk full"}
        sample = {"tokens": [1], "stop_reason": "length", "logprobs": [-1.0]}
        if body.get("prompt_logprobs") is None:
            return 500, b"Internal Server Error"
        scores = [-1.0] * (len(body["prompt"]["chunks"][0]["tokens"]) - 1)
        return self.promise(
            {"sequences": [sample], "prompt_logprobs": scores if body["prompt_logprobs"] else None}
        )

    def on_retrieve_future(self, body: Any, headers: dict[str, str]) -> Answer:
        return self.results[int(body["request_id"]) - 1]
