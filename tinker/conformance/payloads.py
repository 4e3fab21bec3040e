"""Batches and samples as they travel, in JSON and in protobuf."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from attrs import field, frozen

from tinker.conformance.exchange import Exchange
from tinker.conformance.outcomes import Failed
from tinker_proto import tinker_pb2 as pb

TOKENS = (11, 12, 13, 14, 15, 16)


@frozen
class Example:
    """A datum of cross_entropy: its targets are the tokens plus one, unless given."""

    tokens: Sequence[int] = TOKENS
    weights: Sequence[float] = field()
    targets: Sequence[int] = field()

    @weights.default
    def _ones(self) -> Sequence[float]:
        return [1.0] * len(self.tokens)

    @targets.default
    def _successors(self) -> Sequence[int]:
        return [token + 1 for token in self.tokens]


@frozen
class Losses:
    """The result of a forward or forward_backward, whatever its encoding."""

    outputs: list[Mapping[str, list[float]]]
    """One a datum, flattened."""
    metrics: Mapping[str, float]

    @property
    def logprobs(self) -> list[float]:
        """Those of the first datum."""
        return self.outputs[0]["logprobs"]

    @property
    def total(self) -> float:
        """The sum of all log-probabilities."""
        return sum(sum(output["logprobs"]) for output in self.outputs)


def json_batch(
    model_id: str, seq_id: int, examples: Sequence[Example], kind: str = "forward_backward"
) -> dict[str, Any]:
    data = [
        {
            "model_input": {"chunks": [{"type": "encoded_text", "tokens": list(example.tokens)}]},
            "loss_fn_inputs": {
                "target_tokens": _tensor(example.targets, "int64"),
                "weights": _tensor(example.weights, "float32"),
            },
        }
        for example in examples
    ]
    batch = {"data": data, "loss_fn": "cross_entropy"}
    return {"model_id": model_id, "seq_id": seq_id, f"{kind}_input": batch}


def _tensor(values: Sequence[float], dtype: str) -> dict[str, Any]:
    return {"data": list(values), "dtype": dtype, "shape": [len(values)]}


def protobuf_batch(
    model_id: str, seq_id: int, examples: Sequence[Example], *, forward_only: bool = False
) -> bytes:
    request = pb.ForwardBackwardRequest(
        model_id=model_id, seq_id=seq_id, loss_fn="cross_entropy", forward_only=forward_only
    )
    for example in examples:
        datum = request.data.add()
        tokens = np.asarray(example.tokens, dtype="<i4")
        datum.model_input.add().encoded_text.tokens = tokens.tobytes()
        datum.loss_fn_inputs["target_tokens"].CopyFrom(
            pb.Tensor(
                dense=np.asarray(example.targets, dtype="<i8").tobytes(),
                dtype=pb.DTYPE_INT64,
                shape=[len(example.targets)],
            )
        )
        datum.loss_fn_inputs["weights"].CopyFrom(
            pb.Tensor(
                dense=np.asarray(example.weights, dtype="<f4").tobytes(),
                dtype=pb.DTYPE_FLOAT32,
                shape=[len(example.weights)],
            )
        )
    return request.SerializeToString()


def losses_of_json(output: Mapping[str, Any]) -> Losses:
    return Losses(
        [
            {name: tensor["data"] for name, tensor in one.items()}
            for one in output["loss_fn_outputs"]
        ],
        output["metrics"],
    )


def losses_of_protobuf(exchange: Exchange) -> Losses:
    from google.protobuf.message import DecodeError  # noqa: PLC0415

    from tinker._codec.protobuf import decode_forward_backward_output  # noqa: PLC0415

    try:
        output = decode_forward_backward_output(exchange.body)
    except (ValueError, DecodeError) as error:
        raise Failed(f"the result is not a ForwardBackwardOutput: {error}") from None
    return Losses(
        [
            {name: tensor.to_numpy().ravel().tolist() for name, tensor in one.items()}
            for one in output.loss_fn_outputs
        ],
        dict(output.metrics),
    )


def samples_of_protobuf(exchange: Exchange, prompt_length: int) -> dict[str, Any]:
    """A SampleResponse as JSON has it."""
    from tinker._codec.protobuf import decode_sample_response  # noqa: PLC0415

    try:
        response = decode_sample_response(exchange.body, (), prompt_length)
    except ValueError as error:
        raise Failed(f"the result is not a SampleResponse: {error}") from None
    return {
        "sequences": [
            {
                "tokens": list(one.tokens),
                "logprobs": None if one.logprobs is None else list(one.logprobs),
                "stop_reason": one.stop_reason,
            }
            for one in response.sequences
        ],
        "prompt_logprobs": response.prompt_logprobs,
        "topk_prompt_logprobs": response.topk_prompt_logprobs,
    }
