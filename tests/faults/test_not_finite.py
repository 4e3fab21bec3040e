"""NaN and infinities arrive where the encoding has them; where it has not, an error says so."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import tinker
from tests.support.raw_client import Raw, forward_backward
from tests.support.scripted_server import Answer, ScriptedServer
from tinker._codec import protobuf
from tinker_local import LocalServer
from tinker_local.options import Options
from tinker_proto import tinker_pb2 as pb

PROTOBUF = "application/x-protobuf"
PROMPT = tinker.ModelInput.from_ints([1, 2, 3])
VALUES = [math.nan, math.inf, -math.inf, -1.5]
ONLY_NAN = [math.nan, math.nan, math.nan, -1.5]
PROMISE: Answer = (200, {"request_id": "r"})
READS_JSON: Answer = (415, {"detail": "Expected application/json"})
OUTPUT: Answer = (200, {"loss_fn_output_type": "X", "loss_fn_outputs": [{}], "metrics": {}})
STEP: Answer = (200, {"type": "optim_step", "metrics": {}})


def datum(**inputs: Any) -> tinker.Datum:
    arrays = {name: np.array(values, np.float32) for name, values in inputs.items()}
    return tinker.Datum(PROMPT, {"target_tokens": np.array([2, 3, 4]), **arrays})


# ---- results --------------------------------------------------------------------------------


def nulls(value: Any) -> Any:
    """With null for what JSON has not."""
    if isinstance(value, dict):
        return {name: nulls(one) for name, one in value.items()}
    if isinstance(value, list):
        return [nulls(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def written(how: str, body: Any, message: Any = None) -> Answer:
    """A result as servers write it: with null, with NaN and Infinity as Python's json does, in protobuf."""
    if how == "protobuf":
        return 200, message.SerializeToString(), {"Content-Type": PROTOBUF}
    return 200, nulls(body) if how == "null" else body


def wanted(how: str) -> list[float]:
    return ONLY_NAN if how == "null" else VALUES


def floats(values: Any) -> bytes:
    return np.array(values, "<f4").tobytes()


@pytest.mark.parametrize("how", ["null", "literals", "protobuf"])
def test_results_of_training(
    how: str, server: ScriptedServer, training: tinker.TrainingClient
) -> None:
    names = ["nan:mean", "inf:max", "-inf:min", "x:sum"]
    metrics = dict(zip(names, VALUES, strict=True))
    body = {
        "loss_fn_output_type": "X",
        "loss_fn_outputs": [{"x": {"data": VALUES, "dtype": "float32", "shape": [2, 2]}}],
        "metrics": metrics,
    }
    message = pb.ForwardBackwardOutput(loss_fn_output_type="X", metrics=metrics)
    field = message.loss_fn_outputs.add(num_datums=1).fields["x"]
    field.data, field.dtype, field.trailing_shape[:] = floats(VALUES), pb.DTYPE_FLOAT32, [2]
    field.offsets = np.array([0, 16], "<i8").tobytes()
    server.script(retrieve_future=[written(how, body, message)])
    result = training.forward_backward([datum()], "cross_entropy").result(timeout=10)
    array = result.loss_fn_outputs[0]["x"].to_numpy()
    np.testing.assert_array_equal(array, np.array(wanted(how), np.float32).reshape(2, 2))
    np.testing.assert_array_equal([result.metrics[name] for name in names], wanted(how))


@pytest.mark.parametrize("how", ["null", "literals"])
def test_metrics_of_a_step(
    how: str, server: ScriptedServer, training: tinker.TrainingClient
) -> None:
    metrics = dict(zip("abcd", VALUES, strict=True))
    server.script(retrieve_future=[written(how, {"type": "optim_step", "metrics": metrics})])
    result = training.optim_step().result(timeout=10)
    assert result.metrics is not None
    np.testing.assert_array_equal(list(result.metrics.values()), wanted(how))


@pytest.mark.parametrize("how", ["null", "literals", "protobuf"])
def test_samples(how: str, server: ScriptedServer) -> None:
    pairs = [[7, -1.0], [8, -math.inf]]
    body = {
        "sequences": [
            {
                "stop_reason": "length",
                "tokens": [1, 2, 3, 4],
                "logprobs": VALUES,
                "topk_logprobs": [pairs] * 4,
            }
        ],
        "prompt_logprobs": [None, *VALUES[1:3]],
        "topk_prompt_logprobs": [None, pairs, pairs],
    }
    message = pb.SampleResponse(prompt_logprobs=floats(VALUES[:3]))
    topk = pb.TopkLogprobs(k=2, length=4)
    topk.token_ids = np.array([7, 8] * 4, "<i4").tobytes()
    topk.logprobs = floats([-1.0, -math.inf] * 4)
    message.sequences.add(
        stop_reason=pb.STOP_REASON_LENGTH,
        tokens=np.array([1, 2, 3, 4], "<i4").tobytes(),
        logprobs=floats(VALUES),
        topk_sampled_logprobs=topk,
    )
    topk_prompt = pb.TopkLogprobs(k=2, length=3)
    topk_prompt.token_ids = np.array([0, 0, 7, 8, 7, 8], "<i4").tobytes()
    topk_prompt.logprobs = floats([-99999.0] * 2 + [-1.0, -math.inf] * 2)
    message.topk_prompt_logprobs.CopyFrom(topk_prompt)
    server.script(retrieve_future=[written(how, body, message)])
    with tinker.ServiceClient(base_url=server.url) as service:
        sampler = service.create_sampling_client(base_model="m").result(timeout=10)
        params = tinker.SamplingParams(max_tokens=4)
        future = sampler.sample(
            PROMPT,
            1,
            params,
            include_prompt_logprobs=True,
            topk_prompt_logprobs=2,
            topk_sample_logprobs=2,
        )
        result = future.result(timeout=10)
    np.testing.assert_array_equal(result.sequences[0].logprobs, wanted(how))
    np.testing.assert_array_equal(result.prompt_logprobs_np, wanted(how)[:3])
    # None is for what has no log-probability, so that NaN, and with it null, is None in the list.
    infinities = [None, None] if how == "null" else [math.inf, -math.inf]
    assert result.prompt_logprobs == [None, *infinities]
    least = math.nan if how == "null" else -math.inf
    for rows in (result.sequences[0].topk_logprobs, result.topk_prompt_logprobs):
        assert rows is not None
        assert [pair[0] for pair in rows[-1] or ()] == [7, 8]
        np.testing.assert_array_equal([pair[1] for pair in rows[-1] or ()], [-1.0, least])
    assert result.topk_prompt_logprobs is not None
    assert result.topk_prompt_logprobs[0] is None


def test_invalid_json_is_still_an_error(
    server: ScriptedServer, training: tinker.TrainingClient, short_pauses: None
) -> None:
    broken = b'{"loss_fn_outputs": [], "metrics": {"a": NaN}, '
    headers = {"Content-Type": "application/json"}
    server.script(retrieve_future=[(200, broken, headers)])
    with pytest.raises(tinker.APIResponseValidationError, match="do not match the contract"):
        training.forward_backward([datum()], "cross_entropy").result(timeout=10)
    server.script(retrieve_future=[STEP])
    training.optim_step().result(timeout=10)


# ---- requests -------------------------------------------------------------------------------


def sparse(values: list[float]) -> tinker.TensorData:
    return tinker.TensorData(
        np.array(values, np.float32),
        shape=[3, 4],
        sparse_crow_indices=[0, 1, 1, 2],
        sparse_col_indices=[3, 0],
    )


POLICY = {"logprobs": [-1.0, -2.0, -3.0], "advantages": [1.0, 1.0, 0.0]}
TARGETS_OF_TWO = np.array([[2, 3], [3, 4], [4, 5]])


@pytest.mark.parametrize(
    ("data", "loss_fn", "where"),
    [
        ([datum(), datum(weights=[1, 1, math.nan])], "cross_entropy", "data[1]['weights'][2] is nan"),
        (
            # Padding, by its weight of zero: the loss would be NaN all the same.
            [datum(**{**POLICY, "logprobs": [-1.0, -2.0, math.nan]})],
            "importance_sampling",
            "data[0]['logprobs'][2] is nan",
        ),
        ([datum(**{**POLICY, "advantages": [0, math.inf, 0]})], "ppo", "data[0]['advantages'][1] is inf"),
        (
            [datum(**POLICY, clip_high_threshold=[1.2, math.nan, 1.2])],
            "ppo",
            "data[0]['clip_high_threshold'][1] is nan",
        ),
        (
            [tinker.Datum(PROMPT, {"target_tokens": TARGETS_OF_TWO, "weights": TARGETS_OF_TWO * -math.inf})],
            "cross_entropy",
            "data[0]['weights'][0] is -inf",
        ),
        (
            [
                tinker.Datum(
                    PROMPT, {"target_tokens": np.ones((3, 4), int), "weights": sparse([0.5, math.nan])}
                )
            ],
            "cross_entropy",
            "data[0]['weights'][1] is nan",
        ),
    ],
)  # fmt: skip
def test_what_makes_a_loss_nan_is_refused_at_once(
    training: tinker.TrainingClient, data: Any, loss_fn: Any, where: str
) -> None:
    with pytest.raises(ValueError, match=r"it must be") as refused:
        training.forward_backward(data, loss_fn)
    index, name, position = where.split("[")[1:]
    text = f"data[{index}.loss_fn_inputs[{name}.data[{position};"
    assert str(refused.value).startswith(text)


CUSTOM: tuple[Any, ...] = ("custom", {"loss_id": "l"})
"""A loss that may read any input."""


def test_what_no_loss_is_known_to_read_arrives_as_it_is(
    server: ScriptedServer, training: tinker.TrainingClient
) -> None:
    server.script(forward_backward=[PROMISE], retrieve_future=[OUTPUT])
    mine = np.array([math.nan, math.inf, -math.inf], np.float32)
    data = [datum(mine=mine), datum(mine=mine)]
    data[1].loss_fn_inputs["sparse"] = sparse([math.inf, math.nan])
    training.forward_backward(data, *CUSTOM).result(timeout=10)
    request = pb.ForwardBackwardRequest.FromString(server.seen["forward_backward"][0]["bytes"])
    assert request.data[0].loss_fn_inputs["mine"].dense == mine.tobytes()
    assert request.data[1].loss_fn_inputs["sparse"].sparse_csr.values == floats(
        [math.inf, math.nan]
    )


def test_a_server_of_json_alone_is_sent_nothing_else(
    server: ScriptedServer, training: tinker.TrainingClient
) -> None:
    """Not known yet: protobuf is tried, and JSON cannot say it. Then known: refused at once. The run goes on."""
    server.script(forward_backward=[READS_JSON, READS_JSON, PROMISE], retrieve_future=[OUTPUT])
    bad = [datum(), datum(mine=[0, math.nan, 0])]
    future = training.forward_backward(bad, *CUSTOM)
    step = training.optim_step()
    with pytest.raises(ValueError, match="which JSON cannot represent") as refused:
        future.result(timeout=10)
    assert "data[1].loss_fn_inputs['mine'].data[1] is nan" in str(refused.value)
    assert "status 415: Expected application/json" in str(refused.value)
    assert "\n" not in str(refused.value)
    server.script(retrieve_future=[STEP])
    step.result(timeout=10)
    server.script(retrieve_future=[OUTPUT])
    training.forward_backward([datum()], *CUSTOM).result(timeout=10)
    with pytest.raises(
        ValueError, match=r"^data\[1\].*'mine'.*data\[1\] is nan, which JSON cannot"
    ):
        training.forward_backward(bad, *CUSTOM)
    training.forward_backward([datum()], *CUSTOM).result(timeout=10)
    tried, *accepted = server.seen["forward_backward"][1:]
    assert tried["headers"]["content-type"] == PROTOBUF
    # No number is missing, none is used twice.
    assert [request["seq_id"] for request in accepted] == [2, 3]
    assert [request["seq_id"] for request in server.seen["optim_step"]] == [1]


def test_what_json_cannot_say_is_tried_in_protobuf_where_json_comes_first(
    server: ScriptedServer,
) -> None:
    """A server without client/config, of which it is not known yet what it reads."""
    server.script(config=[(404, {})])
    with tinker.ServiceClient(base_url=server.url) as service:
        training = service.create_lora_training_client("m").result(timeout=10)
        server.script(forward_backward=[PROMISE], retrieve_future=[OUTPUT])
        training.forward_backward([datum(mine=[0, math.nan, 0])], *CUSTOM).result(timeout=10)
    (request,) = server.seen["forward_backward"]
    assert request["headers"]["content-type"] == PROTOBUF


def test_of_many_chunks_the_error_names_the_datum(
    server: ScriptedServer, training: tinker.TrainingClient
) -> None:
    server.script(
        forward_backward=[READS_JSON, PROMISE], forward=[PROMISE], retrieve_future=[OUTPUT]
    )
    data = [datum() for _ in range(130)] + [datum(mine=[math.inf, 0, 0])]
    with pytest.raises(ValueError, match=r"data\[130\].*'mine'.*data\[0\] is inf") as refused:
        training.forward_backward(data, *CUSTOM).result(timeout=10)
    assert refused.value.__notes__ == ["1 of the call's 2 requests were accepted and take effect."]
    with pytest.raises(ValueError, match=r"^data\[130\]"):  # this time nothing is sent
        training.forward_backward(data, *CUSTOM)
    server.script(retrieve_future=[STEP])
    training.optim_step().result(timeout=10)
    assert [request["seq_id"] for request in server.seen["optim_step"]] == [2]


# ---- the embedded server --------------------------------------------------------------------


@pytest.fixture(scope="module")
def raw() -> Iterator[Raw]:
    with LocalServer() as running, Raw(running.url) as client:
        yield client


def test_it_names_what_is_not_finite_in_protobuf(raw: Raw) -> None:
    model_id = raw.model()
    data = [datum(), datum(weights=[0.0, 1.0, math.nan])]
    content = protobuf.encode_forward_backward(
        model_id, 1, data, "cross_entropy", None, forward_only=False
    )
    answer = raw.http.post("forward_backward", content=content, headers={"Content-Type": PROTOBUF})
    failure = raw.result(answer.json())
    assert failure["error"] == "data[1]: weights[2] is nan; it must be finite"
    assert failure["category"] == "user"


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity"])
def test_it_names_what_json_has_not(raw: Raw, literal: str) -> None:
    body = str(forward_backward("m", 1)).replace("'", '"').replace("1.0", literal, 1)
    answer = raw.http.post("forward_backward", content=body.encode())
    assert answer.status_code == 422
    (issue,) = answer.json()["detail"]
    assert f"The body is not JSON: JSON has no {literal.lstrip('-')}" in issue["msg"]


def test_it_names_where_a_null_is_not_a_number(raw: Raw) -> None:
    body = forward_backward(raw.model(), 1)
    tensor = body["forward_backward_input"]["data"][0]["loss_fn_inputs"]["weights"]
    tensor["data"][2] = None
    (issue,) = raw.post("forward_backward", body, 422)["detail"]
    assert issue["loc"][-4:] == ["loss_fn_inputs", "weights", "data", "2"]


@pytest.mark.parametrize("form", ["setting", "input"])
def test_a_threshold_that_is_not_a_limit(form: str) -> None:
    """Infinite thresholds clip nothing; in JSON they are an error that says where."""
    inputs: dict[str, Any] = dict(POLICY)
    config = {"clip_high_threshold": math.inf, "clip_low_threshold": -math.inf}
    if form == "input":
        inputs |= {name: [value] * 3 for name, value in config.items()}
    with LocalServer() as server, tinker.ServiceClient(base_url=server.url) as service:
        training = service.create_lora_training_client("tinker-local/tiny", rank=2).result()

        def loss(name: Any, **settings: float) -> float:
            given = datum(**(inputs if name == "ppo" else POLICY))
            result = training.forward_backward([given], name, settings or None).result()
            return float(result.metrics["loss:sum"])

        unclipped = loss("ppo", **(config if form == "setting" else {}))
        assert unclipped == loss("importance_sampling")
    json_alone = Options(protobuf=False)
    with (
        LocalServer(options=json_alone) as server,
        tinker.ServiceClient(base_url=server.url) as service,
    ):
        training = service.create_lora_training_client("tinker-local/tiny", rank=2).result()
        future = training.forward([datum(**inputs)], "ppo", config if form == "setting" else None)
        with pytest.raises(ValueError, match="clip_.*inf, which JSON cannot represent"):
            future.result()
        training.forward([datum(**POLICY)], "ppo").result()
