"""A client of plain HTTP, for tests of the server: what it sends and reads is what is on the wire."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import httpx
import orjson

from tinker_local.engine.base import AdamSpec, AdapterState, Example, LossResult
from tinker_local.engine.tiny.engine import TinyEngine

MODEL = "tinker-local/tiny"
KEY = "tml-test"
Body = dict[str, Any]


class Raw:
    """Requests of one user, each with the status that is expected of its answer."""

    def __init__(self, url: str, key: str = KEY) -> None:
        self.http = httpx.Client(
            base_url=f"{url}/api/v1/",
            headers={"X-API-Key": key, "Content-Type": "application/json"},
            timeout=60,
        )

    def post(
        self, route: str, body: Mapping[str, Any], status: int = 200, /, **headers: str
    ) -> Any:
        response = self.http.post(route, content=orjson.dumps(body), headers=headers)
        assert response.status_code == status, (response.status_code, response.text)
        return orjson.loads(response.content)

    def get(self, route: str, status: int = 200, /, **headers: str) -> Any:
        response = self.http.get(route, headers=headers)
        assert response.status_code == status, (response.status_code, response.text)
        return orjson.loads(response.content)

    def send(
        self, method: str, route: str, status: int, body: Any = None, **headers: str
    ) -> httpx.Response:
        """A request of any method, and its whole answer."""
        content = None if body is None else orjson.dumps(body)
        response = self.http.request(method, route, content=content, headers=headers)
        assert response.status_code == status, (response.status_code, response.text)
        return response

    def session(self, **fields: Any) -> str:
        body = {"tags": [], "user_metadata": {}, "sdk_version": "0.38.0", **fields}
        session_id: str = self.post("create_session", body)["session_id"]
        return session_id

    def create(self, session_id: str, number: int = 0, **lora: Any) -> Body:
        """The promise of a model."""
        promise: Body = self.post("create_model", model(session_id, number, **lora))
        return promise

    def model(self, session_id: str | None = None, number: int = 0, **lora: Any) -> str:
        """The id of a new model, which exists."""
        promise = self.create(session_id or self.session(), number, **lora)
        model_id: str = self.result(promise)["model_id"]
        return model_id

    def saved(self, name: str = "a", session_id: str | None = None) -> tuple[str, str]:
        """A new model with one training checkpoint: the model's id, and the checkpoint's route."""
        model_id = self.model(session_id)
        self.do("save_weights", save(model_id, 1, name))
        return model_id, f"training_runs/{model_id}/checkpoints/weights/{name}"

    def sampler(self, session_id: str, number: int = 0) -> str:
        """The id of a sampler of the base model."""
        body = {"session_id": session_id, "sampling_session_seq_id": number, "base_model": MODEL}
        sampler_id: str = self.post("create_sampling_session", body)["sampling_session_id"]
        return sampler_id

    def poll(self, promise: Mapping[str, Any], **headers: str) -> httpx.Response:
        """One answer of retrieve_future."""
        body = orjson.dumps({"request_id": promise["request_id"]})
        return self.http.post("retrieve_future", content=body, headers=headers)

    def result(self, promise: Mapping[str, Any], **headers: str) -> Body:
        """What a promise comes to."""
        while True:
            response = self.poll(promise, **headers)
            assert response.status_code == 200, response.text
            answer: Body = orjson.loads(response.content)
            if answer.get("type") != "try_again":
                return answer

    def do(self, route: str, body: Mapping[str, Any], **headers: str) -> Body:
        """Submit, and wait for the result."""
        return self.result(self.post(route, body), **headers)

    def close(self) -> None:
        self.http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


Submission = Callable[[str, int], Body]
"""Makes the body of an operation of a model, from the model's id and a seq_id."""

# ---- bodies ---------------------------------------------------------------------------------


def model(session_id: str, number: int = 0, **lora: Any) -> Body:
    return {
        "session_id": session_id,
        "model_seq_id": number,
        "base_model": MODEL,
        "lora_config": {"rank": 4, "seed": 7, **lora},
    }


def datum(text: str) -> Body:
    tokens = list(text.encode())
    return {
        "model_input": {"chunks": [{"type": "encoded_text", "tokens": tokens}]},
        "loss_fn_inputs": {
            "target_tokens": {"data": [*tokens[1:], 0], "dtype": "int64"},
            "weights": {"data": [1.0] * (len(tokens) - 1) + [0.0], "dtype": "float32"},
        },
    }


def batch(*texts: str) -> Body:
    return {"data": [datum(text) for text in texts], "loss_fn": "cross_entropy"}


def forward_backward(model_id: str, seq_id: int | None, *texts: str) -> Body:
    return {
        "model_id": model_id,
        "seq_id": seq_id,
        "forward_backward_input": batch(*(texts or ("some text",))),
    }


def optim_step(model_id: str, seq_id: int | None, learning_rate: float = 5e-3) -> Body:
    return {
        "model_id": model_id,
        "seq_id": seq_id,
        "adam_params": {"learning_rate": learning_rate},
    }


TRAINING: list[tuple[str, Submission]] = [
    ("forward_backward", forward_backward),
    ("optim_step", optim_step),
]
"""The two submissions of a training step."""


def save(model_id: str, seq_id: int | None, name: str, **more: Any) -> Body:
    """For save_weights and for save_weights_for_sampler."""
    return {"model_id": model_id, "seq_id": seq_id, "path": name, **more}


def sample(sampler_id: str, seq_id: int, text: str = "abc", **more: Any) -> Body:
    return {
        "sampling_session_id": sampler_id,
        "seq_id": seq_id,
        "prompt": {"chunks": [{"type": "encoded_text", "tokens": list(text.encode())}]},
        "sampling_params": {"max_tokens": 4, "seed": 5},
        **more,
    }


# ---- engines --------------------------------------------------------------------------------


class Gate(TinyEngine):
    """The tiny engine behind a gate, which also counts what goes through."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.gate.set()
        self.reached = threading.Event()
        """That a forward pass is at the gate."""
        self.passes = 0
        self.steps = 0

    def forward(
        self,
        adapter: AdapterState,
        data: Sequence[Example],
        loss_fn: str,
        config: Mapping[str, float],
        *,
        backward: bool,
    ) -> tuple[LossResult, AdapterState]:
        self.reached.set()
        assert self.gate.wait(60)
        self.passes += 1
        return super().forward(adapter, data, loss_fn, config, backward=backward)

    def optim_step(
        self, adapter: AdapterState, params: AdamSpec
    ) -> tuple[dict[str, float], AdapterState]:
        self.steps += 1
        return super().optim_step(adapter, params)
