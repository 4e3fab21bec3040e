"""What values do, said the same way whichever package is installed: `{"what was done": "what came out"}`.

Run by the interpreters of both packages. Of an exception the built-in class is said by which users catch it.
"""

from __future__ import annotations

import base64
import copy
import dataclasses
import json
import pickle
from collections.abc import Callable
from typing import Any, cast

import httpx
import numpy as np

import tinker
from tinker import types

Chunk, Input, Tensor = tinker.EncodedTextChunk, tinker.ModelInput, tinker.TensorData
PNG = b"\x89PNG\r\n"
IMAGE = types.ImageChunk(data=PNG, format="png", expected_tokens=7)
POINTER = types.ImageAssetPointerChunk(format="jpeg", location="tinker://x", expected_tokens=2)
MIXED = Input(chunks=[Chunk(tokens=[1, 2]), IMAGE, POINTER, Chunk(tokens=[3])])
DATUM = tinker.Datum(
    model_input=Input.from_ints([1, 2, 3]),
    loss_fn_inputs={"target_tokens": [2, 3, 4], "weights": [0.0, 1.0, 0.5]},
)
RUN = {
    "training_run_id": "r",
    "base_model": "m",
    "model_owner": "o",
    "is_lora": True,
    "last_request_time": "2026-01-02T03:04:05Z",
    "last_checkpoint": {
        "checkpoint_id": "weights/1",
        "checkpoint_type": "training",
        "time": "2026-01-02T03:04:05.678+02:00",
        "tinker_path": "tinker://r/weights/1",
    },
    "a member of a newer server": 1,
}
REQUEST = httpx.Request("POST", "https://example.invalid/api/v1/asample")
RESPONSE = httpx.Response(418, request=REQUEST, json={"detail": "no"})
VALUES: dict[str, Any] = {
    "model input": MIXED,
    "text chunk": Chunk(tokens=[1, 2]),
    "image": IMAGE,
    "pointer": POINTER,
    "dmel": types.DmelChunk(dmel=b"\x00\x01"),
    "adam": tinker.AdamParams(learning_rate=0.5),
    "sampling": tinker.SamplingParams(max_tokens=3, stop=["a", "b"]),
    "lora": tinker.LoraConfig(rank=4, seed=1),
    "dimuon": tinker.DimuonParams(learning_rate=0.5),
    "dimuon config": tinker.DimuonOptimizerConfig(),
    "path": tinker.ParsedCheckpointTinkerPath.from_tinker_path("tinker://r/weights/1"),
    "run": tinker.TrainingRun.model_validate(RUN),
    "cursor": types.Cursor(offset=0, limit=1, total_count=2),
    "optim step": tinker.OptimStepResponse.model_validate({"metrics": {"a:mean": 1.5}}),
}
# What official values of arrays are is said by no method: by their members instead.
ARRAYS = {
    "datum": (DATUM, ["model_input", "loss_fn_inputs", "model_input_spans", "loss_fn_input_spans"]),
    "tensor": (Tensor(data=[1.5, 2.5], dtype="float32", shape=[2]), ["data", "dtype", "shape"]),
    "output": (
        tinker.ForwardBackwardOutput(
            loss_fn_output_type="TensorData",
            loss_fn_outputs=[{"logprobs": Tensor(data=[-1.0], dtype="float32", shape=[1])}],
            metrics={"loss:sum": 1.0},
        ),
        ["loss_fn_output_type", "loss_fn_outputs", "metrics"],
    ),
    "sequence": (
        tinker.SampledSequence(
            "stop", "s:0", np.array([5, 6], np.int32), np.array([-0.5, -1.5], np.float32)
        ),
        ["stop_reason", "sequence_id", "tokens", "logprobs", "topk_logprobs", "tokens_np"],
    ),
    "sequence of lists": (
        tinker.SampledSequence("length", "s:1", _tokens_list=[7], _logprobs_list=[-0.25]),
        ["stop_reason", "sequence_id", "tokens", "logprobs", "topk_logprobs"],
    ),
    "response": (
        tinker.SampleResponse([], np.array([np.nan, -1.0], np.float32), prompt_cache_hit_tokens=3),
        ["sequences", "prompt_logprobs", "topk_prompt_logprobs", "prompt_cache_hit_tokens"],
    ),
}
DONE: dict[str, Callable[..., Any]] = {}


def done(function: Callable[[], Any]) -> None:
    DONE[function.__name__.replace("_", " ")] = function


for name, value in VALUES.items():
    for what, function in {
        "model_dump": lambda v=value: v.model_dump(),
        "model_dump json": lambda v=value: v.model_dump(mode="json"),
        "model_dump_json": lambda v=value: json.loads(v.model_dump_json(indent=2)),
        "model_dump exclude": lambda v=value: v.model_dump(exclude={"type"}, exclude_none=True),
        "model_dump exclude_defaults": lambda v=value: v.model_dump(exclude_defaults=True),
        "model_fields": lambda v=value: sorted(type(v).model_fields),
        "dict": lambda v=value: sorted(dict(v)),
        "round trip": lambda v=value: type(v).model_validate(v.model_dump(mode="json")) == v,
        "round trip json": lambda v=value: type(v).model_validate_json(v.model_dump_json()) == v,
        "validated instance": lambda v=value: type(v).model_validate(v) == v,
        "unknown member": lambda v=value: type(v).model_validate({**v.model_dump(), "new": 1}) == v,
        "no members": lambda v=value: type(v).model_validate({}) is not None,
        "not members": lambda v=value: type(v).model_validate(5),
        "unknown argument": lambda v=value: type(v)(**dict(v), new=1),
        "copies": lambda v=value: [
            v == other
            for other in (v.model_copy(), v.model_copy(deep=True), copy.copy(v), copy.deepcopy(v))
        ],
        "pickle": lambda v=value: pickle.loads(pickle.dumps(v)) == v,
        "frozen": lambda v=value: setattr(v, next(iter(dict(v))), None),
        "another attribute": lambda v=value: setattr(v, "another", None),
        "equal to others": lambda v=value: [v == 1, v is None, v != v.model_copy()],
    }.items():
        DONE[f"{name}: {what}"] = function
for name, (value, members) in ARRAYS.items():
    for member in members:
        DONE[f"{name}.{member}"] = lambda v=value, m=member: getattr(v, m)
    DONE[f"{name}: copies"] = lambda v=value: [
        type(c).__name__ for c in (copy.copy(v), copy.deepcopy(v))
    ]
    DONE[f"{name}: pickle"] = lambda v=value, m=members: [
        getattr(pickle.loads(pickle.dumps(v)), n) for n in m
    ]
    DONE[f"{name}: frozen"] = lambda v=value, m=members: setattr(v, m[0], None)


@done
def building_inputs() -> Any:
    built = Input.empty().append_int(1).append_int(2).append(IMAGE).append_int(3)
    return built, built.length, [type(chunk).__name__ for chunk in built.chunks]


@done
def tokens() -> Any:
    return (
        Input.from_ints([1, 2, 3]).to_ints(),
        Input.from_ints(tokens=[]).to_ints(),
        Chunk(tokens=(1, 2)).length,
    )


@done
def tokens_of_an_image() -> Any:
    return MIXED.to_ints()


@done
def length_of_an_image_that_does_not_say() -> Any:
    return Input(chunks=[types.ImageChunk(data=PNG, format="png")]).length


@done
def chunks_from_dicts() -> Any:
    return Input(chunks=[{"type": "encoded_text", "tokens": [1]}])  # type: ignore[list-item]


@done
def image_from_base64() -> Any:
    return types.ImageChunk(data=base64.b64encode(PNG).decode(), format="png").data == PNG


@done
def equal_inputs() -> Any:
    return Input.from_ints([1, 2]) == Input.from_ints([1, 2]), Input.from_ints(
        [1]
    ) == Input.from_ints([2])


@done
def a_chunk_of_no_kind() -> Any:
    return Input(chunks=[{"type": "smell"}])  # type: ignore[list-item]


@done
def an_adam_that_is_a_word() -> Any:
    return tinker.AdamParams(learning_rate="fast")  # type: ignore[arg-type]


@done
def arrays_of_other_types() -> Any:
    made = [
        Tensor.from_numpy(np.array([1, 2], dtype))
        for dtype in (np.int32, np.int64, np.float64, np.float16)
    ]
    return [(t.data, t.dtype, t.shape, t.to_numpy().dtype.name) for t in made]


@done
def arrays_of_more_axes() -> Any:
    tensor = Tensor.from_numpy(np.arange(6).reshape(2, 3))
    return tensor.data, tensor.shape, tensor.tolist(), tensor.to_numpy()


@done
def loss_fn_inputs() -> Any:
    datum = tinker.Datum(
        Input.from_ints([1, 2]),
        {
            "target_tokens": np.array([1, 2]),
            "weights": np.array([0.0, 1.0]),
            "advantages": [0.5, 1.0],
        },
    )
    return {
        name: (t.data, t.dtype, t.to_numpy().dtype.name) for name, t in datum.loss_fn_inputs.items()
    }


@done
def a_list_of_no_known_type() -> Any:
    return tinker.Datum(Input.from_ints([1]), {"mine": [1]})


@done
def numbers_of_numpy() -> Any:
    one, two, three, four, five, six = cast("list[int]", [*map(np.int64, range(1, 6)), np.int32(6)])
    span = tinker.SampledProvenanceSpan(sequence_id="b", offset=one, length=two)
    image = types.ImageChunk(data=PNG, format="png", expected_tokens=three)
    tokens = Input.from_ints([four, six]).append_int(five)
    return int(span.offset + span.length), image.length, tokens.to_ints()


for name, wrong in {
    "floats": [1.0],
    "bools": [True],
    "text": ["1"],
    "a large number": [2**31],
}.items():
    DONE[f"tokens that are {name}"] = lambda w=wrong: Input.from_ints(w).to_ints()
for name, wrong in {"floats": [1.0], "text": ["1"]}.items():
    DONE[f"whole numbers that are {name}"] = lambda w=wrong: Tensor(w, "int64", [1]).data


@done
def arrays_as_keys() -> Any:
    tensors = [Tensor(data=[1.5], dtype="float32", shape=[1]) for _ in range(2)]
    return tensors[0] == tensors[1], len(set(tensors))


@done
def provenance() -> Any:
    spans: list[Any] = [
        tinker.PromptProvenanceSpan(sequence_id="a", length=2),
        tinker.SampledProvenanceSpan(sequence_id="b", offset=1, length=1),
    ]
    datum = DATUM.with_provenance(spans, spans)
    return [
        (s.sequence_id, s.offset, s.length) for s in datum.model_input_spans or []
    ], datum.model_input == DATUM.model_input


@done
def dataclasses_of_the_standard_library() -> Any:
    span = dataclasses.replace(tinker.SampledProvenanceSpan(sequence_id="b", length=3), offset=2)
    datum = dataclasses.replace(DATUM, loss_fn_inputs={})
    sequence: Any
    output: Any
    sequence, output = (dataclasses.replace(ARRAYS[name][0]) for name in ("sequence", "output"))
    return [
        dataclasses.asdict(span),
        (datum.model_input, datum.loss_fn_inputs),
        (sequence.tokens, sequence.logprobs, output.metrics),
        [dataclasses.is_dataclass(value) for value, _ in ARRAYS.values()],
        [field.name for field in dataclasses.fields(tinker.PromptProvenanceSpan)],
    ]


@done
def provenance_that_covers_too_little() -> Any:
    return DATUM.with_provenance([tinker.PromptProvenanceSpan(sequence_id="a", length=1)], [])


@done
def provenance_without_a_name() -> Any:
    return tinker.SampledProvenanceSpan(sequence_id="", length=1)


@done
def tinker_paths() -> Any:
    kinds = ("weights", "sampler_weights", "external_weights")
    return [
        tinker.ParsedCheckpointTinkerPath.from_tinker_path(f"tinker://r:train:0/{kind}/n")
        for kind in kinds
    ]


for wrong in (
    "",
    "r/weights/1",
    "tinker://r/weights",
    "tinker://r/weight/1",
    "tinker://r/weights/1/2",
):
    DONE[f"path {wrong!r}"] = lambda w=wrong: tinker.ParsedCheckpointTinkerPath.from_tinker_path(w)


@done
def console_addresses() -> Any:
    saved = types.SaveWeightsResponse(path="tinker://a:train:0/weights/b c")
    sampler = types.SaveWeightsForSamplerResponse(path="tinker://a:train:0/sampler_weights/b")
    return saved.get_console_url(), sampler.get_console_url(), sampler.get_playground_url()


@done
def updates() -> Any:
    return tinker.AdamParams().model_copy(update={"beta1": 0.5}).beta1, tinker.AdamParams().beta1


@done
def times() -> Any:
    run = VALUES["run"]
    return (
        run.last_request_time.isoformat(),
        run.last_checkpoint.time.isoformat(),
        run.corrupted,
        run.lora_rank,
    )


@done
def stops() -> Any:
    return [tinker.SamplingParams(stop=stop).stop for stop in (None, "a", ["a"], [1, 2])]


@done
def categories() -> Any:
    return [(c.name, c.value, f"{c}", c == c.value) for c in types.RequestErrorCategory]


for status, kind in {
    400: tinker.BadRequestError,
    401: tinker.AuthenticationError,
    402: tinker.BillingError,
    403: tinker.PermissionDeniedError,
    404: tinker.NotFoundError,
    409: tinker.ConflictError,
    422: tinker.UnprocessableEntityError,
    429: tinker.RateLimitError,
    500: tinker.InternalServerError,
}.items():
    DONE[f"error {status}"] = lambda k=kind: error(
        k("said", response=RESPONSE, body={"detail": "no"})
    )


def error(raised: Any) -> Any:
    members = ("message", "body", "status_code", "request_id", "category")
    there = {name: getattr(raised, name) for name in members if hasattr(raised, name)}
    references = [
        getattr(raised, "request", None) is REQUEST,
        getattr(raised, "response", None) is RESPONSE,
    ]
    bases = [base.__name__ for base in type(raised).__mro__]
    return str(raised), there, references, bases, isinstance(raised, tinker.TinkerError)


@done
def errors_of_connections() -> Any:
    return [
        error(raised)
        for raised in (
            tinker.APIConnectionError(request=REQUEST),
            tinker.APIConnectionError(REQUEST, "mine"),
            tinker.APITimeoutError(request=REQUEST),
            tinker.APIStatusError("m", response=RESPONSE, body=None),
            tinker.APIError("m", REQUEST, body=[1]),
            tinker.TinkerError("m"),
        )
    ]


@done
def errors_of_operations() -> Any:
    user = types.RequestErrorCategory.User
    raised = tinker.RequestFailedError("why", request_id="r", category=user)
    return raised.request_id, raised.category.value, isinstance(raised, tinker.APIError)


@done
def errors_in_another_process() -> Any:
    raised = [
        tinker.APIConnectionError(REQUEST, "mine"),
        tinker.APIStatusError("m", response=RESPONSE, body={"detail": "no"}),
        tinker.BadRequestError("m", response=RESPONSE, body=None),
        tinker.APIResponseValidationError(RESPONSE, [1], "m"),
        tinker.RequestFailedError("m", request_id="r", category=types.RequestErrorCategory.Server),
    ]
    copies = [pickle.loads(pickle.dumps(one)) for one in raised]
    return [
        (type(one).__name__, str(one), one.args, sorted(vars(one)), getattr(one, "body", None))
        for one in copies
    ]


@done
def optimizers_of_a_server() -> Any:
    data = {"model_id": "m", "model_data": {}, "optimizer_config": {"type": "adamw"}}
    new = {**data, "optimizer_config": {"type": "new", "k": 1}}
    infos: list[Any] = [types.GetInfoResponse.model_validate(d) for d in (data, new)]
    return [(i.optimizer_config.type, i.optimizer_config.model_dump()) for i in infos]


def said(value: Any) -> Any:
    """Of values, what they say in JSON; of arrays, their lists and types."""
    if isinstance(value, Tensor):
        return ["tensor", value.dtype, value.tolist()]
    if hasattr(value, "model_dump"):
        dumped = value.model_dump(mode="json")
        return {"class": type(value).__name__, **dict(sorted(dumped.items()))}
    if isinstance(value, np.ndarray):
        return [value.dtype.name, value.tolist()]
    if isinstance(value, dict):
        return {str(key): said(item) for key, item in sorted(value.items())}
    if isinstance(value, list | tuple):
        return [said(item) for item in value]
    return value if isinstance(value, str | int | float | bool | None) else type(value).__name__


def outcome(function: Callable[[], Any]) -> Any:
    try:
        return said(function())
    except Exception as raised:  # noqa: BLE001  # whatever it is, users see it
        builtin = next(base for base in type(raised).__mro__ if base.__module__ == "builtins")
        return f"raises {builtin.__name__}"


if __name__ == "__main__":
    print(json.dumps({name: outcome(function) for name, function in DONE.items()}))
