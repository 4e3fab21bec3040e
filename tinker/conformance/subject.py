"""The server under test: requests to it by operationId, held against the contract's schemas."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import quote

import httpx
import jsonschema_rs
import orjson
from attrs import define, field

from tinker._codec.media_types import JSON, PROTOBUF
from tinker.conformance.exchange import Exchange
from tinker.conformance.outcomes import Failed, NotOffered, expect
from tinker_proto import tinker_pb2 as pb

_PENDING = 200.0
"""Seconds for which a promise may be pending before a check gives up on it."""
_RESULTS = {
    "create_model": "CreateModelResponse",
    "unload_model": "UnloadModelResponse",
    "forward": "ForwardBackwardOutput",
    "forward_backward": "ForwardBackwardOutput",
    "optim_step": "OptimStepResponse",
    "create_custom_loss": "CreateCustomLossResponse",
    "save_weights": "SaveWeightsResponse",
    "load_weights": "LoadWeightsResponse",
    "save_weights_for_sampler": "SaveWeightsForSamplerResponse",
    "save_weights_external": "SaveWeightsExternalResponse",
    "asample": "SampleResponse",
}


@cache
def contract() -> dict[str, Any]:
    content = files("tinker_contract").joinpath("openapi.json").read_bytes()
    document: dict[str, Any] = orjson.loads(content)
    return document


@cache
def routes() -> dict[str, tuple[str, str, dict[str, Any]]]:
    """Method, path and description of each operation."""
    return {
        operation["operationId"]: (method.upper(), path, operation)
        for path, methods in contract()["paths"].items()
        for method, operation in methods.items()
    }


@cache
def _validator(schema: str) -> Any:
    document = {"$ref": f"#/components/schemas/{schema}", "components": contract()["components"]}
    return jsonschema_rs.Draft202012Validator(document, validate_formats=True)


class OutOfTime(Exception):
    """The time limit is reached."""


@define
class Model:
    """A training run of ours, and the number its next request has."""

    id: str
    next_seq_id: int = 1

    def take(self) -> int:
        self.next_seq_id += 1
        return self.next_seq_id - 1


@define
class Subject:
    """The server, and what the checks before have made on it."""

    http: httpx.Client
    deadline: float
    base_model: str = ""
    name: str = field(factory=lambda: f"conformance-{uuid.uuid4().hex[:8]}")
    session_id: str = ""
    model: Model = field(factory=lambda: Model(""))
    sampler_id: str = ""
    encoding: str = ""
    """What forward_backward takes; empty while that is not known."""
    models: int = 0
    samplers: int = 0
    checkpoints: list[str] = field(factory=list)
    """Tinker paths of ours that are to be deleted."""
    extra_models: list[str] = field(factory=list)
    untagged: dict[str, Exchange] = field(factory=dict)
    """Results without their tag, by operation."""
    misformed: dict[str, Exchange] = field(factory=dict)
    """Answers with texts that are not of their format, by operation."""
    last: Exchange | None = None
    results: dict[str, Any] = field(factory=dict)
    """What checks leave for later ones."""
    evidence: dict[str, Exchange | None] = field(factory=dict)
    """The exchange each of them came from."""

    def keep(self, name: str, value: Any) -> None:
        self.results[name], self.evidence[name] = value, self.last

    def recall(self, name: str) -> Any:
        """What an earlier check has kept; its exchange is the evidence again."""
        self.last = self.evidence[name]
        return self.results[name]

    # ---- requests ---------------------------------------------------------------------------

    def send(
        self,
        operation: str,
        body: Mapping[str, Any] | bytes | None = None,
        *,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        key: bool = True,
        raw_path: bool = False,
        timeout: float = 60.0,
        path: Mapping[str, str] | None = None,
    ) -> Exchange:
        """One request, whatever its answer; `raw_path` leaves the colons of ids unquoted."""
        if time.monotonic() > self.deadline:
            raise OutOfTime
        method, template, _ = routes()[operation]
        safe = ":" if raw_path else ""
        url = template.format(
            **{name: quote(value, safe=safe) for name, value in (path or {}).items()}
        )
        sent = dict(headers or {})
        content = b""
        if isinstance(body, bytes):
            content = body
            sent.setdefault("content-type", PROTOBUF)
        elif body is not None:
            content = orjson.dumps(body)
            sent.setdefault("content-type", JSON)
        sent.setdefault("accept", JSON)
        request = self.http.build_request(
            method,
            url.removeprefix("/"),
            content=content or None,
            headers=sent,
            params=query,
            timeout=timeout,
        )
        if not key:
            request.headers.pop("x-api-key", None)
        begun = time.monotonic()
        try:
            try:
                response = self.http.send(request)
            except (httpx.ReadError, httpx.RemoteProtocolError):
                # Some servers close a connection after an error; a new one shows whether it was that.
                response = self.http.send(request)
        except httpx.TimeoutException:
            raise Failed(f"{operation} was not answered within {timeout:.0f} s") from None
        except httpx.TransportError as error:
            raise Failed(f"{operation}: {type(error).__name__}: {error}") from None
        self.last = Exchange(
            operation,
            method,
            request.url.raw_path.decode(),
            dict(request.headers),
            content,
            response.status_code,
            dict(response.headers),
            response.content,
            time.monotonic() - begun,
        )
        return self.last

    def call(self, operation: str, body: Any = None, **options: Any) -> Any:
        """The answer of a request that is to succeed, held against its schema."""
        exchange = self.send(operation, body, **options)
        self.offered(exchange)
        expect(200 <= exchange.status < 300, f"{operation} was refused with {exchange.status}")
        schema = _answer_schema(operation)
        if schema is None:
            return None
        answer = exchange.json()
        self.fits(operation, schema, answer)
        return answer

    def offered(self, exchange: Exchange) -> None:
        """Stop the check if the server does not have the route."""
        if exchange.status in (404, 405, 501):
            detail = ""
            if exchange.media_type == JSON:
                answer = exchange.json()
                detail = answer.get("detail", "") if isinstance(answer, dict) else ""
            if exchange.status != 404 or detail in ("Not Found", "Method Not Allowed", ""):
                raise NotOffered(
                    f"{exchange.status} for {' '.join(routes()[exchange.operation][:2])}"
                )

    def fits(self, operation: str, schema: str, answer: Any) -> None:
        """Hold JSON against a schema. Tags that are left out are collected, not failed."""
        properties = contract()["components"]["schemas"][schema].get("properties", {})
        if isinstance(answer, dict):
            for name, part in properties.items():
                if "const" in part and name not in answer:
                    if self.last is not None:
                        self.untagged.setdefault(operation, self.last)
                    answer = {**answer, name: part["const"]}
        for error in _validator(schema).iter_errors(answer):
            where = "/".join(str(part) for part in error.instance_path) or "it"
            if error.schema_path and error.schema_path[-1] == "format":
                if self.last is not None:
                    place = re.sub(r"\d+", "n", where)
                    self.misformed.setdefault(f"{place} of {operation}", self.last)
                continue
            raise Failed(
                f"the answer of {operation} is not a {schema}: {where}: {error.message}"[:300]
            )

    def refused(
        self, operation: str, body: Any, statuses: tuple[int, ...], **options: Any
    ) -> Exchange:
        """A request that is to be refused with one of these statuses and a `detail`."""
        exchange = self.send(operation, body, **options)
        expected = " or ".join(map(str, statuses))
        expect(
            exchange.status in statuses, f"{operation} answered {exchange.status}, not {expected}"
        )
        answer = exchange.json()
        expect(
            isinstance(answer, dict) and "detail" in answer,
            f"the {exchange.status} has no `detail`",
        )
        return exchange

    def free(self) -> None:
        """Unload the models that a check has made: some servers have room for few."""
        while self.extra_models:
            model_id = self.extra_models.pop()
            self.send("unload_model", {"model_id": model_id, "type": "unload_model"})

    # ---- promises ---------------------------------------------------------------------------

    def poll(self, request_id: Any, **options: Any) -> Exchange:
        body = {"request_id": request_id, **options.pop("body", {})}
        return self.send("retrieve_future", body, **options)

    def settled(self, request_id: Any, **options: Any) -> Exchange:
        """The answer that ends a promise, whatever it says."""
        until = time.monotonic() + _PENDING
        while time.monotonic() < until:
            exchange = self.poll(request_id, **options)
            if exchange.status == 408:
                continue
            if exchange.status == 200 and exchange.media_type == JSON:
                answer = exchange.json()
                if isinstance(answer, dict) and answer.get("type") == "try_again":
                    self.fits("retrieve_future", "TryAgainResponse", answer)
                    continue
            return exchange
        raise Failed(f"the promise {request_id} was pending for {_PENDING:.0f} s")

    def result(self, operation: str, promise: Mapping[str, Any], **options: Any) -> Any:
        """The JSON result of a promise, held against its schema."""
        exchange = self.settled(promise["request_id"], **options)
        expect(exchange.status == 200, f"the result of {operation} is a {exchange.status}")
        answer = exchange.json()
        if isinstance(answer, dict) and "error" in answer:
            raise Failed(f"{operation} failed: {str(answer['error'])[:200]}")
        self.fits(operation, _RESULTS[operation], answer)
        return answer

    def fetch(self, url: str, byte_range: str = "") -> httpx.Response:
        """What is behind a signed URL: no credential goes there."""
        headers = {"range": byte_range} if byte_range else {}
        return httpx.get(url, headers=headers, follow_redirects=True, timeout=60)

    def do(self, operation: str, body: Mapping[str, Any], **options: Any) -> Any:
        """Promise and result of an operation."""
        return self.result(operation, self.call(operation, body, **options))

    # ---- training ---------------------------------------------------------------------------

    def new_model(self, **lora: Any) -> Model:
        body = self.model_body(**lora)
        result = self.do("create_model", body)
        self.extra_models.append(result["model_id"])
        return Model(result["model_id"])

    def model_body(self, **lora: Any) -> dict[str, Any]:
        body = {
            "session_id": self.session_id,
            "model_seq_id": self.models,
            "base_model": self.base_model,
            "lora_config": {"rank": 8, "seed": 1, **lora},
            "type": "create_model",
        }
        self.models += 1
        return body

    def train(
        self, model: Model, *, seq_id: int | None = None, tokens: list[int] | None = None
    ) -> Any:
        """The promise of a forward_backward, in the encoding the server takes."""
        number = model.take() if seq_id is None else seq_id
        if self.encoding == PROTOBUF:
            return self.call("forward_backward", protobuf_batch(model.id, number, tokens))
        return self.call("forward_backward", json_batch(model.id, number, tokens))

    def loss(self, promise: Mapping[str, Any]) -> tuple[list[float], dict[str, float]]:
        """Logprobs of the first datum and the metrics of a forward or forward_backward, in either encoding."""
        accept = {"accept": PROTOBUF} if self.encoding == PROTOBUF else {"accept": JSON}
        exchange = self.settled(promise["request_id"], headers=accept)
        expect(exchange.status == 200, f"the result of forward_backward is a {exchange.status}")
        if exchange.media_type == PROTOBUF:
            return from_protobuf(exchange)
        answer = exchange.json()
        if isinstance(answer, dict) and "error" in answer:
            raise Failed(f"forward_backward failed: {str(answer['error'])[:200]}")
        self.fits("forward_backward", "ForwardBackwardOutput", answer)
        return answer["loss_fn_outputs"][0]["logprobs"]["data"], answer["metrics"]

    def step(self, model: Model, *, seq_id: int | None = None) -> Any:
        """The promise of an optim_step."""
        number = model.take() if seq_id is None else seq_id
        body = {
            "model_id": model.id,
            "seq_id": number,
            "adam_params": {
                "learning_rate": 0.01,
                "beta1": 0.9,
                "beta2": 0.95,
                "eps": 1e-8,
                "weight_decay": 0.0,
            },
            "type": "optim_step",
        }
        return self.call("optim_step", body)

    # ---- sampling ---------------------------------------------------------------------------

    def sample(self, seq_id: int, **members: Any) -> Any:
        return self.sampled(self.call("asample", self.sample_body(seq_id, **members)))

    def sampled(self, promise: Mapping[str, Any]) -> Any:
        """The samples of a promise as JSON has them, in whichever encoding the server answers."""
        exchange = self.settled(promise["request_id"])
        if exchange.media_type != PROTOBUF:
            return self.result("asample", promise)
        from tinker._codec.protobuf import decode_sample_response  # noqa: PLC0415

        try:
            response = decode_sample_response(exchange.body, (), len(TOKENS))
        except ValueError as error:
            raise Failed(f"the result is no SampleResponse: {error}") from None
        return {
            "sequences": [
                {
                    "tokens": list(one.tokens),
                    "logprobs": one.logprobs,
                    "stop_reason": one.stop_reason,
                }
                for one in response.sequences
            ],
            "prompt_logprobs": response.prompt_logprobs,
            "topk_prompt_logprobs": response.topk_prompt_logprobs,
        }

    def sample_body(self, seq_id: int, **members: Any) -> dict[str, Any]:
        return {
            "sampling_session_id": self.sampler_id,
            "seq_id": seq_id,
            "num_samples": 1,
            "prompt": {"chunks": [{"type": "encoded_text", "tokens": TOKENS}]},
            "sampling_params": {
                "max_tokens": 4,
                "seed": 3,
                "temperature": 1.0,
                "top_k": -1,
                "top_p": 1.0,
            },
            "prompt_logprobs": False,
            "topk_prompt_logprobs": 0,
            "type": "sample",
            **members,
        }


TOKENS = [11, 12, 13, 14, 15, 16]
TARGETS = [12, 13, 14, 15, 16, 17]


def json_batch(
    model_id: str, seq_id: int, tokens: list[int] | None = None, *, kind: str = "forward_backward"
) -> dict[str, Any]:
    tokens = tokens or TOKENS
    targets = [token + 1 for token in tokens]
    datum = {
        "model_input": {"chunks": [{"type": "encoded_text", "tokens": tokens}]},
        "loss_fn_inputs": {
            "target_tokens": {"data": targets, "dtype": "int64", "shape": [len(targets)]},
            "weights": {"data": [1.0] * len(targets), "dtype": "float32", "shape": [len(targets)]},
        },
    }
    batch = {"data": [datum], "loss_fn": "cross_entropy"}
    return {"model_id": model_id, "seq_id": seq_id, f"{kind}_input": batch}


def protobuf_batch(
    model_id: str, seq_id: int, tokens: list[int] | None = None, *, forward_only: bool = False
) -> bytes:
    import numpy as np  # noqa: PLC0415  # only where arrays are made

    tokens = tokens or TOKENS
    count = len(tokens)
    targets = np.asarray(tokens, dtype="<i8") + 1
    request = pb.ForwardBackwardRequest(
        model_id=model_id, seq_id=seq_id, loss_fn="cross_entropy", forward_only=forward_only
    )
    datum = request.data.add()
    datum.model_input.add().encoded_text.tokens = np.asarray(tokens, dtype="<i4").tobytes()
    datum.loss_fn_inputs["target_tokens"].CopyFrom(
        pb.Tensor(dense=targets.tobytes(), dtype=pb.DTYPE_INT64, shape=[count])
    )
    datum.loss_fn_inputs["weights"].CopyFrom(
        pb.Tensor(
            dense=np.ones(count, dtype="<f4").tobytes(), dtype=pb.DTYPE_FLOAT32, shape=[count]
        )
    )
    return request.SerializeToString()


def from_protobuf(exchange: Exchange) -> tuple[list[float], dict[str, float]]:
    from google.protobuf.message import DecodeError  # noqa: PLC0415

    from tinker._codec.protobuf import decode_forward_backward_output  # noqa: PLC0415

    try:
        output = decode_forward_backward_output(exchange.body)
    except (ValueError, DecodeError) as error:
        raise Failed(f"the result is no ForwardBackwardOutput: {error}") from None
    expect(bool(output.loss_fn_outputs), "the result has no loss_fn_outputs")
    return output.loss_fn_outputs[0]["logprobs"].tolist(), dict(output.metrics)


def _answer_schema(operation: str) -> str | None:
    """The name of the schema of a JSON answer."""
    for status, response in routes()[operation][2]["responses"].items():
        if status.startswith("2"):
            media = response.get("content", {}).get(JSON)
            if media is not None:
                reference: str = media["schema"]["$ref"]
                return reference.rpartition("/")[2]
    return None


__all__ = ["JSON", "PROTOBUF", "Model", "NotOffered", "OutOfTime", "Subject", "contract", "routes"]
