"""Code as users type it for the official SDK, for type checkers. It is not run."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

import tinker
from tinker import types
from tinker.lib.public_interfaces import APIFuture, rest_client
from tinker.lib.public_interfaces.rest_client import RestClient
from tinker.lib.public_interfaces.service_client import RetryConfig
from tinker.types import LossFnType, checkpoint
from tinker.types.tensor_data import TensorData


def datum(tokens: list[int], weights: list[float]) -> tinker.Datum:
    return types.Datum(
        model_input=types.ModelInput.from_ints(tokens=tokens[:-1]),
        loss_fn_inputs=dict(weights=weights[1:], target_tokens=tokens[1:]),  # noqa: C408
    )


def tensors(tokens: list[int], advantages: list[float]) -> tinker.Datum:
    inputs: dict[str, tinker.TensorData] = {
        "target_tokens": TensorData(data=tokens, dtype="int64", shape=[len(tokens)]),
        "advantages": tinker.TensorData.from_numpy(np.array(advantages, np.float32)),
    }
    return tinker.Datum(model_input=tinker.ModelInput.from_ints(tokens), loss_fn_inputs=inputs)


def build(chunks: list[tinker.ModelInputChunk]) -> tinker.ModelInput:
    prompt = tinker.ModelInput(chunks=chunks)
    prompt = prompt.append(tinker.EncodedTextChunk(tokens=[1, 2])).append_int(3)
    n: int = prompt.length
    ids: list[int] = prompt.to_ints()
    for chunk in prompt.chunks:
        if isinstance(chunk, tinker.EncodedTextChunk):
            seq: Sequence[int] = chunk.tokens
            del seq
    del n, ids
    return prompt


class Policy:
    def __init__(
        self, sampling_client: tinker.SamplingClient, params: tinker.SamplingParams | None = None
    ) -> None:
        self.client = sampling_client
        self.params = params or tinker.SamplingParams(
            max_tokens=10, temperature=1.0, stop=["\n"], top_k=-1, top_p=1.0, seed=1
        )

    async def __call__(
        self, prompt: tinker.ModelInput, n: int = 1
    ) -> list[tuple[list[int], list[float]]]:
        response = await self.client.sample_async(
            prompt=prompt, num_samples=n, sampling_params=self.params
        )
        out: list[tuple[list[int], list[float]]] = []
        for seq in response.sequences:
            tokens = seq.tokens
            logprobs = seq.logprobs
            assert logprobs is not None
            reason: tinker.StopReason = seq.stop_reason
            del reason
            out.append((list(tokens), list(logprobs)))
        return out


def train(
    service_client: tinker.ServiceClient,
    data: list[tinker.Datum],
    loss_fn: LossFnType,
    config: Mapping[str, float] | None = None,
) -> dict[str, float]:
    training_client: tinker.TrainingClient = service_client.create_lora_training_client(
        base_model="m", rank=32, user_metadata={"a": "b"}
    ).result()
    fwd_bwd: APIFuture[tinker.ForwardBackwardOutput] = training_client.forward_backward(
        data, loss_fn, loss_fn_config=dict(config or {})
    )
    optim: tinker.APIFuture[tinker.OptimStepResponse] = training_client.optim_step(
        tinker.AdamParams(learning_rate=1e-4, beta1=0.9, beta2=0.95, eps=1e-8)
    )
    result = fwd_bwd.result()
    optim_result = optim.result(timeout=10)
    logprobs = [output["logprobs"].tolist() for output in result.loss_fn_outputs]
    del logprobs
    metrics: dict[str, float] = dict(result.metrics)
    if optim_result.metrics:
        metrics.update(optim_result.metrics)
    path: str = training_client.save_state("a").result().path
    sampler_path: str = (
        training_client.save_weights_for_sampler(name="b", ttl_seconds=None).result().path
    )
    sampling_client: tinker.SamplingClient = service_client.create_sampling_client(
        model_path=sampler_path, retry_config=RetryConfig()
    ).result()
    again: tinker.TrainingClient = service_client.create_training_client_from_state_with_optimizer(
        path
    ).result()
    tokenizer = training_client.get_tokenizer()
    text: str = tokenizer.decode([1])
    ids = tokenizer.encode("x", add_special_tokens=False)
    name: str = sampling_client.get_base_model()
    info = again.get_info()
    model: str | None = info.model_data.model_name
    run_id: str = again.model_id
    del text, ids, name, model, run_id
    return metrics


async def train_async(training_client: tinker.TrainingClient, data: list[tinker.Datum]) -> float:
    future = await training_client.forward_backward_async(data, loss_fn="cross_entropy")
    optim = await training_client.optim_step_async(types.AdamParams(learning_rate=1e-4))
    result = await future.result_async()
    await optim
    sampler = await training_client.save_weights_and_get_sampling_client_async("x")
    lps: list[float | None] = await sampler.compute_logprobs_async(data[0].model_input)
    responses: list[tinker.SampleResponse] = await asyncio.gather(
        *[sampler.sample_async(data[0].model_input, 1, tinker.SamplingParams()) for _ in range(3)]
    )
    more = await asyncio.gather(
        *[sampler.sample(data[0].model_input, 1, tinker.SamplingParams()) for _ in range(3)]
    )
    out = await asyncio.wait_for(training_client.forward(data, "cross_entropy"), timeout=1.0)
    for done in concurrent.futures.as_completed(
        [sampler.sample(data[0].model_input, 1, tinker.SamplingParams()).future()]
    ):
        print(done.result().sequences[0].tokens)
    del lps, responses, more, out
    return result.metrics["loss:sum"]


def custom(training_client: tinker.TrainingClient, data: list[tinker.Datum]) -> None:
    def loss(data: list[tinker.Datum], logprobs: list[Any]) -> tuple[Any, dict[str, float]]:
        return sum(lp.sum() for lp in logprobs), {"x": 1.0}

    output = training_client.forward_backward_custom(data, loss).result()
    print(output.metrics)


def rest(client: RestClient) -> list[str]:
    runs: list[tinker.TrainingRun] = client.list_training_runs(limit=10).result().training_runs
    checkpoints: list[tinker.Checkpoint] = client.list_user_checkpoints().result().checkpoints
    last: tinker.Checkpoint | None = runs[0].last_checkpoint
    kind: tinker.CheckpointType = checkpoints[0].checkpoint_type
    when = runs[0].last_request_time.isoformat()
    dumped: dict[str, Any] = runs[0].model_dump(mode="json", exclude_none=True)
    text: str = runs[0].model_dump_json(indent=2)
    back: tinker.TrainingRun = tinker.TrainingRun.model_validate(dumped)
    changed: tinker.AdamParams = tinker.AdamParams().model_copy(update={"beta1": 0.5})
    parsed = tinker.ParsedCheckpointTinkerPath.from_tinker_path("tinker://r/weights/1")
    run_id: str = parsed.training_run_id
    urls: dict[str, str] = (
        client.get_external_weights_urls("tinker://r/external_weights/1").result().urls
    )
    del last, kind, when, text, back, changed, run_id, urls
    return [run.training_run_id for run in runs]


def errors(call: Callable[[], None]) -> int | None:
    try:
        call()
    except tinker.RateLimitError as error:
        return error.status_code
    except (tinker.APITimeoutError, tinker.APIConnectionError) as error:
        print(error.message, error.request.url)
    except tinker.APIStatusError as error:
        print(error.response.status_code, error.body)
    except tinker.RequestFailedError as error:
        print(error)
    except tinker.TinkerError:
        raise
    return None


async def image(service: tinker.ServiceClient) -> None:
    chunk = tinker.types.ImageChunk(data=b"", format="png", expected_tokens=3)
    prompt = tinker.ModelInput(chunks=[tinker.types.EncodedTextChunk(tokens=[1]), chunk])
    client = await service.create_sampling_client_async(base_model="m")
    span = tinker.SampledProvenanceSpan(sequence_id="x", offset=0, length=3)
    first = tinker.PromptProvenanceSpan(sequence_id="x", length=3)
    d = tinker.Datum(model_input=prompt).with_provenance([first], [span])
    with tinker.ServiceClient(base_url="x", api_key="y", project_id="p", display_name="d") as inner:
        capabilities = inner.get_server_capabilities()
        names: list[str | None] = [m.model_name for m in capabilities.supported_models]
    del client, d, names
    awaited: tinker.TrainingClient = await service.create_lora_training_client("m")
    del awaited


def aliases(
    one: checkpoint.Checkpoint, future: rest_client.APIFuture[int]
) -> tuple[tinker.Checkpoint, tinker.APIFuture[int]]:
    return one, future


class Fake(tinker.SamplingClient):
    def __init__(self) -> None:
        pass

    def get_base_model(self) -> str:
        return "x"
