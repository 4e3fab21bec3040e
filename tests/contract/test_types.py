"""Types written by hand against their schemas, in both directions.

What they encode to has every field of its schema and matches it; what the schema allows they decode, and each field
of it arrives. A field that the contract gets and a type does not know fails here.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import jsonschema_rs
import numpy as np
import orjson
import pytest

from tinker import types
from tinker._codec import json as codec
from tinker_local.protocol.contract import document

SCHEMAS: dict[str, Any] = document()["components"]["schemas"]


def validator(name: str) -> Any:
    schema = {"$ref": f"#/components/schemas/{name}", "components": document()["components"]}
    return jsonschema_rs.Draft202012Validator(schema)


def plain(model: Any) -> Any:
    from tinker_api.types import dumps

    return orjson.loads(dumps(model.to_dict()))


TENSOR = types.TensorData(
    data=[1.0, 2.0],
    dtype="float32",
    shape=[2, 3],
    sparse_crow_indices=[0, 1, 2],
    sparse_col_indices=[0, 2],
)
CHUNKS: list[types.ModelInputChunk] = [
    types.EncodedTextChunk(tokens=[1, 2, 3]),
    types.ImageChunk(data=b"\x89PNG", format="png", expected_tokens=4),
    types.ImageAssetPointerChunk(location="asset", format="jpeg", expected_tokens=5),
    types.DmelChunk(dmel=b"\x00\x01\x01\x00\x00\x00\x00"),
]


def chunk(index: int) -> Any:
    return plain(codec.model_input(types.ModelInput(chunks=[CHUNKS[index]])))["chunks"][0]


def batch() -> Any:
    datum = types.Datum(
        model_input=types.ModelInput(chunks=CHUNKS),
        loss_fn_inputs={"target_tokens": np.arange(12), "weights": np.ones(12, np.float32)},
    )
    return plain(codec.training_input([datum], "ppo", {"clip_low_threshold": 0.8}))


ENCODED = {
    "TensorData": lambda: plain(codec.tensor_data(TENSOR)),
    "EncodedTextChunk": lambda: chunk(0),
    "ImageChunk": lambda: chunk(1),
    "ImageAssetPointerChunk": lambda: chunk(2),
    "DmelChunk": lambda: chunk(3),
    "ModelInput": lambda: plain(codec.model_input(types.ModelInput(chunks=CHUNKS))),
    "Datum": lambda: batch()["data"][0],
    "ForwardBackwardInput": batch,
}


@pytest.mark.parametrize("name", ENCODED)
def test_what_a_type_encodes_to_is_all_of_its_schema(name: str) -> None:
    body = ENCODED[name]()
    validator(name).validate(body)
    assert set(body) == set(SCHEMAS[name]["properties"])


OUTPUT = {
    "type": "forward_backward",
    "loss_fn_output_type": "CrossEntropyLossReturn",
    "loss_fn_outputs": [{"logprobs": {"data": [-1.0, -2.0], "dtype": "float32", "shape": [2]}}],
    "metrics": {"loss:sum": 3.0},
}
SAMPLE: dict[str, Any] = {
    "type": "sample",
    "sequences": [
        {
            "stop_reason": "length",
            "tokens": [5, 6],
            "logprobs": [-0.5, -0.25],
            "topk_logprobs": [[[5, -0.5]], [[6, -0.25]]],
        }
    ],
    "prompt_logprobs": [None, -1.0, -2.0],
    "topk_prompt_logprobs": [None, [[1, -1.0]], [[2, -2.0]]],
    "target_prompt_logprobs": {"data": [-1.0, -2.0], "dtype": "float32", "shape": [2, 1]},
    "prompt_alt_tokens": {
        "tokens": {"data": [1, 2], "dtype": "int64", "shape": [2, 1]},
        "logprobs": {"data": [-1.0, -2.0], "dtype": "float32", "shape": [2, 1]},
    },
    "prompt_cache_hit_tokens": 2,
}
DECODED: dict[str, tuple[Any, Callable[[bytes], Any]]] = {
    "ForwardBackwardOutput": (OUTPUT, codec.forward_backward_output),
    "SampleResponse": (SAMPLE, lambda content: codec.sample_response(content, 3, ["a"])),
}


def seen(value: Any) -> str:
    """Everything that is in a value."""
    return repr(value.model_dump())


@pytest.mark.parametrize("name", DECODED)
def test_every_field_a_schema_allows_arrives(name: str) -> None:
    body, decode = DECODED[name]
    validator(name).validate(body)
    schema = SCHEMAS[name]
    assert set(body) == set(schema["properties"])
    whole = seen(decode(orjson.dumps(body)))
    for field in set(body) - {"type"}:
        if field in schema["required"]:
            continue
        without = {key: value for key, value in body.items() if key != field}
        validator(name).validate(without)
        assert seen(decode(orjson.dumps(without))) != whole, f"{field} does not arrive"


def test_every_field_of_a_sequence_arrives() -> None:
    decode = DECODED["SampleResponse"][1]
    whole = seen(decode(orjson.dumps(SAMPLE)))
    (sequence,) = SAMPLE["sequences"]
    schema = SCHEMAS["SampledSequence"]
    assert set(sequence) == set(schema["properties"])
    for field in set(sequence) - set(schema["required"]):
        body = copy.deepcopy(SAMPLE)
        del body["sequences"][0][field]
        assert seen(decode(orjson.dumps(body))) != whole, f"{field} does not arrive"


@pytest.mark.parametrize("name", DECODED)
def test_unknown_fields_pass(name: str) -> None:
    body, decode = DECODED[name]
    assert seen(decode(orjson.dumps({**body, "newer": {"a": 1}}))) == seen(
        decode(orjson.dumps(body))
    )
