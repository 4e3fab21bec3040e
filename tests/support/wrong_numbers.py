"""Servers whose numbers are wrong: an engine that computes them so, and a proxy that changes one encoding."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
import httpx
import numpy as np
import orjson

from tinker_local.engine.base import (
    AdamSpec,
    AdapterState,
    Example,
    LossResult,
    SampledSequence,
    SampleResult,
    SampleSpec,
)
from tinker_local.engine.tiny.engine import TinyEngine
from tinker_proto import tinker_pb2 as pb

PROTOBUF = "application/x-protobuf"


class WrongEngine(TinyEngine):
    """Override one of the hooks to make one kind of number wrong, in every encoding and operation."""

    def inputs(self, data: Sequence[Example]) -> Sequence[Example]:
        return data

    def losses(self, result: LossResult) -> LossResult:
        return result

    def accumulated(self, before: AdapterState, after: AdapterState) -> AdapterState:
        return after

    def step(self, params: AdamSpec) -> AdamSpec:
        return params

    def sampled_adapter(self, adapter: AdapterState | None) -> AdapterState | None:
        return adapter

    def sequence(self, sequence: SampledSequence) -> SampledSequence:
        return sequence

    def prompt(self, result: SampleResult) -> SampleResult:
        return result

    def forward(
        self,
        adapter: AdapterState,
        data: Sequence[Example],
        loss_fn: str,
        config: Mapping[str, Any],
        *,
        backward: bool,
    ) -> tuple[LossResult, AdapterState]:
        result, after = super().forward(
            adapter, self.inputs(data), loss_fn, config, backward=backward
        )
        return self.losses(result), self.accumulated(adapter, after) if backward else after

    def optim_step(
        self, adapter: AdapterState, params: AdamSpec
    ) -> tuple[dict[str, float], AdapterState]:
        return super().optim_step(adapter, self.step(params))

    def sample(
        self, base_model: str, adapter: AdapterState | None, specs: Sequence[SampleSpec]
    ) -> list[SampleResult]:
        quiet = [attrs.evolve(spec, listener=None) for spec in specs]
        results = [
            self.prompt(
                attrs.evolve(one, sequences=[self.sequence(sequence) for sequence in one.sequences])
            )
            for one in super().sample(base_model, self.sampled_adapter(adapter), quiet)
        ]
        for spec, result in zip(specs, results, strict=True):
            if spec.listener is not None:
                for index, sequence in enumerate(result.sequences):
                    for token, logprob in zip(sequence.tokens, sequence.logprobs, strict=True):
                        spec.listener(index, int(token), float(logprob))
        return results


class ShiftedSamples(WrongEngine):
    def sequence(self, sequence: SampledSequence) -> SampledSequence:
        return attrs.evolve(sequence, logprobs=sequence.logprobs - np.float32(1))


class SamplesOneTokenLate(WrongEngine):
    def sequence(self, sequence: SampledSequence) -> SampledSequence:
        return attrs.evolve(sequence, logprobs=np.roll(sequence.logprobs, 1))


class ShiftedPrompts(WrongEngine):
    def prompt(self, result: SampleResult) -> SampleResult:
        if result.prompt_logprobs is None:
            return result
        shifted = [None if one is None else one - 1 for one in result.prompt_logprobs]
        return attrs.evolve(result, prompt_logprobs=shifted)


class ShiftedSampler(ShiftedSamples, ShiftedPrompts):
    """Consistent in itself."""


class ShiftedTopk(WrongEngine):
    def prompt(self, result: SampleResult) -> SampleResult:
        if result.topk_prompt_logprobs is None:
            return result
        rows = [
            None if row is None else [(token, logprob - 1) for token, logprob in row]
            for row in result.topk_prompt_logprobs
        ]
        return attrs.evolve(result, topk_prompt_logprobs=rows)


class ShiftedTargets(WrongEngine):
    def prompt(self, result: SampleResult) -> SampleResult:
        if result.target_prompt_logprobs is None:
            return result
        return attrs.evolve(
            result, target_prompt_logprobs=result.target_prompt_logprobs - np.float32(1)
        )


class SamplerOfBaseModel(WrongEngine):
    def sampled_adapter(self, adapter: AdapterState | None) -> AdapterState | None:
        return None


class ShiftedLosses(WrongEngine):
    """Consistent in itself: the loss follows the log-probabilities."""

    def losses(self, result: LossResult) -> LossResult:
        outputs = [{**one, "logprobs": one["logprobs"] - np.float32(1)} for one in result.outputs]
        return attrs.evolve(result, outputs=outputs)


class HalfLossSum(WrongEngine):
    def losses(self, result: LossResult) -> LossResult:
        metrics = {**result.metrics, "loss:sum": result.metrics["loss:sum"] / 2}
        return attrs.evolve(result, metrics=metrics)


class HalfElementwiseLoss(WrongEngine):
    def losses(self, result: LossResult) -> LossResult:
        outputs = [
            {**one, "elementwise_loss": one["elementwise_loss"] / np.float32(2)}
            for one in result.outputs
        ]
        return attrs.evolve(result, outputs=outputs)


class WeightsIgnored(WrongEngine):
    def inputs(self, data: Sequence[Example]) -> Sequence[Example]:
        return [
            attrs.evolve(one, inputs={**one.inputs, "weights": np.ones_like(one.inputs["weights"])})
            for one in data
        ]


class SignOfWeightsIgnored(WrongEngine):
    def inputs(self, data: Sequence[Example]) -> Sequence[Example]:
        return [
            attrs.evolve(one, inputs={**one.inputs, "weights": np.abs(one.inputs["weights"])})
            for one in data
        ]


class StepsDropped(WrongEngine):
    def step(self, params: AdamSpec) -> AdamSpec:
        return attrs.evolve(params, learning_rate=0.0)


class LearningRateIgnored(WrongEngine):
    def step(self, params: AdamSpec) -> AdamSpec:
        return attrs.evolve(params, learning_rate=1e-3)


class LearningRateBounded(WrongEngine):
    def step(self, params: AdamSpec) -> AdamSpec:
        return attrs.evolve(params, learning_rate=min(params.learning_rate, 5e-4))


class OnlyTheLastGradient(WrongEngine):
    def accumulated(self, before: AdapterState, after: AdapterState) -> AdapterState:
        if not before.grads:
            return after
        latest = {name: after.grads[name] - before.grads[name] for name in after.grads}
        return attrs.evolve(after, grads=latest)


class GradientsNotCleared(WrongEngine):
    def optim_step(
        self, adapter: AdapterState, params: AdamSpec
    ) -> tuple[dict[str, float], AdapterState]:
        metrics, after = super().optim_step(adapter, params)
        return metrics, attrs.evolve(after, grads=adapter.grads)


# ---- one encoding alone -----------------------------------------------------------------------

Change = Callable[[httpx.Request, httpx.Response], httpx.Response | None]


def half_loss_sum_in_json(
    request: httpx.Request, response: httpx.Response
) -> httpx.Response | None:
    if b'"loss:sum"' not in response.content:
        return None
    body = orjson.loads(response.content)
    body["metrics"]["loss:sum"] /= 2
    return httpx.Response(200, json=body)


def half_loss_sum_in_protobuf(
    request: httpx.Request, response: httpx.Response
) -> httpx.Response | None:
    if response.headers.get("content-type") != PROTOBUF or b"loss:sum" not in response.content:
        return None
    output = pb.ForwardBackwardOutput.FromString(response.content)
    output.metrics["loss:sum"] /= 2
    return httpx.Response(
        200, content=output.SerializeToString(), headers={"content-type": PROTOBUF}
    )


def shifted_samples_in_json(
    request: httpx.Request, response: httpx.Response
) -> httpx.Response | None:
    if b'"sequences"' not in response.content:
        return None
    body = orjson.loads(response.content)
    for sequence in body["sequences"]:
        sequence["logprobs"] = [one - 1 for one in sequence["logprobs"]]
    return httpx.Response(200, json=body)


def shifted_samples_in_protobuf(
    request: httpx.Request, response: httpx.Response
) -> httpx.Response | None:
    if response.headers.get("content-type") != PROTOBUF or b"loss:sum" in response.content:
        return None
    result = pb.SampleResponse.FromString(response.content)
    for sequence in result.sequences:
        shifted = np.frombuffer(sequence.logprobs, dtype="<f4") - np.float32(1)
        sequence.logprobs = shifted.astype("<f4").tobytes()
    return httpx.Response(
        200, content=result.SerializeToString(), headers={"content-type": PROTOBUF}
    )


def shifted_stream(request: httpx.Request, response: httpx.Response) -> httpx.Response | None:
    if "text/event-stream" not in response.headers.get("content-type", ""):
        return None
    events = []
    for line in response.text.splitlines():
        if line.startswith("data:"):
            event = orjson.loads(line.removeprefix("data:"))
            if event.get("logprob") is not None:
                event["logprob"] -= 1
            events.append(b"data: " + orjson.dumps(event) + b"\n\n")
    return httpx.Response(
        200, content=b"".join(events), headers={"content-type": "text/event-stream"}
    )
