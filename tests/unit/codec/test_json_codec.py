"""The JSON codec: what JSON cannot represent is rejected by name, and every field of a result is read."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp

from tinker import types
from tinker._codec import json as json_codec
from tinker_api.types import dumps
from tinker_local.engine.base import ModelSpec
from tinker_local.protocol.wire import batches, bodies

NOT_FINITE = [math.nan, math.inf, -math.inf]


def datum(values: Any) -> types.Datum:
    return types.Datum(types.ModelInput.from_ints([1]), {"weights": np.array(values, np.float32)})


@pytest.mark.parametrize("value", NOT_FINITE)
def test_a_batch_with_a_value_that_is_not_finite_is_rejected_by_name(value: float) -> None:
    wanted = rf"data\[1\]\.loss_fn_inputs\['weights'\]\.data\[2\] is {value}"
    with pytest.raises(ValueError, match=wanted):
        json_codec.training_input([datum([1]), datum([0, 1, value, value])], "ppo", None)


@pytest.mark.parametrize("value", NOT_FINITE)
def test_a_setting_that_is_not_finite_is_refused_by_name(value: float) -> None:
    with pytest.raises(ValueError, match=rf"loss_fn_config\['beta'\] is {value}"):
        json_codec.training_input([datum([1])], "dro", {"beta": value, "kind": "x"})


MODEL = ModelSpec(name="m", max_context_length=1, vocab_size=2, tokenizer_id="t", arch="a")
FINITE = st.floats(width=32, allow_nan=False, allow_infinity=False)


@given(values=hnp.arrays(np.float32, st.integers(0, 50), elements=FINITE))
def test_floats_of_a_request_arrive_to_the_bit(values: np.ndarray[Any, Any]) -> None:
    sent = types.Datum(types.ModelInput.from_ints([1]), {"x": values})
    body = dumps(json_codec.training_input([sent], "ppo", {"beta": 0.1}).to_dict())
    (example,) = batches.examples_from_json(bodies.parse_json(body), MODEL)
    assert example.inputs["x"].dtype == np.float32
    assert example.inputs["x"].tobytes() == values.tobytes()


@given(values=hnp.arrays(np.float32, st.integers(0, 50), elements=st.floats(width=32)))
def test_a_null_in_a_result_is_a_nan(values: np.ndarray[Any, Any]) -> None:
    values[np.isinf(values)] = 0
    tensor = {"data": values, "dtype": "float32", "shape": [len(values)]}
    body = {"loss_fn_output_type": "X", "loss_fn_outputs": [{"x": tensor}], "metrics": {"a:sum": 1}}
    content = orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)
    decoded = json_codec.forward_backward_output(content)
    np.testing.assert_array_equal(decoded.loss_fn_outputs[0]["x"].to_numpy(), values)
    assert decoded.metrics == {"a:sum": 1}


def test_a_null_among_integers_is_an_error() -> None:
    body = b'{"loss_fn_outputs": [{"x": {"data": [1, null], "dtype": "int64"}}]}'
    with pytest.raises(ValueError, match=r"data\[1\] is None"):
        json_codec.forward_backward_output(body)


def test_a_result_without_types_and_shapes_is_read() -> None:
    body = b'{"loss_fn_outputs": [{"x": {"data": [1, 2.5]}}, {}]}'
    decoded = json_codec.forward_backward_output(body)
    assert decoded.loss_fn_outputs == [{"x": types.TensorData([1.0, 2.5])}, {}]
    assert decoded.metrics == {}


def test_all_members_of_a_sample_are_read() -> None:
    body = {
        "type": "sample",
        "sequences": [{"stop_reason": "stop", "tokens": [5], "logprobs": [-1.5]}],
        "prompt_logprobs": [-2.0, None],
        "target_prompt_logprobs": {"data": [-1, -2], "dtype": "float32", "shape": [2, 1]},
        "prompt_alt_tokens": {
            "tokens": {"data": [7, 8], "dtype": "int64", "shape": [2, 1]},
            "logprobs": {"data": [-3, None], "dtype": "float32", "shape": [2, 1]},
        },
        "prompt_cache_hit_tokens": 3,
    }
    decoded = json_codec.sample_response(orjson.dumps(body), 3, ["s:0"])
    assert decoded.prompt_logprobs == [None, -2.0, None]
    assert decoded.prompt_cache_hit_tokens == 3
    assert decoded.target_prompt_logprobs is not None
    assert decoded.target_prompt_logprobs.tolist() == [[-1.0], [-2.0]]
    assert decoded.prompt_alt_tokens is not None
    assert decoded.prompt_alt_tokens.tokens.tolist() == [[7], [8]]
    assert decoded.prompt_alt_tokens.logprobs.data[0] == -3
    assert math.isnan(decoded.prompt_alt_tokens.logprobs.data[1])
    assert (decoded.sequences[0].tokens, decoded.sequences[0].logprobs) == ([5], [-1.5])


def test_every_kind_of_chunk_is_written() -> None:
    prompt = types.ModelInput(
        chunks=[
            types.EncodedTextChunk(tokens=[1, 2]),
            types.ImageChunk(data=b"\xff", format="png", expected_tokens=4),
            types.ImageAssetPointerChunk(location="a://b", format="jpeg", expected_tokens=5),
        ]
    )
    assert orjson.loads(dumps(json_codec.model_input(prompt).to_dict()))["chunks"] == [
        {"type": "encoded_text", "tokens": [1, 2]},
        {"type": "image", "data": "/w==", "format": "png", "expected_tokens": 4},
        {
            "type": "image_asset_pointer",
            "location": "a://b",
            "format": "jpeg",
            "expected_tokens": 5,
        },
    ]
