"""What clients do with what users give them, reported as in values.py: `{"what was done": "what came out"}`.

    python clients.py < file with the address of a server

Each is done with clients of its own, so that one that fails does not keep the next from its turn.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import copy
import inspect
import json
import os
import pickle
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import tinker

sys.path.append(str(Path(__file__).parents[3]))
from tests.compat.behaviour.values import outcome

URL = "" if sys.stdin.isatty() else sys.stdin.read().strip()
MODEL = "tinker-local/tiny"
SECONDS = 30.0
PROMPT = tinker.ModelInput.from_ints([1, 2, 3])
DONE: dict[str, Callable[..., Any]] = {}


def done(function: Callable[[], Any]) -> None:
    DONE[function.__name__.replace("_", " ")] = function


SERVICE = tinker.ServiceClient(base_url=URL, api_key="tml-x")


def training() -> Any:
    return SERVICE.create_lora_training_client(MODEL, rank=4, seed=1).result(SECONDS)


def sampler() -> Any:
    return SERVICE.create_sampling_client(base_model=MODEL).result(SECONDS)


def datum(**inputs: Any) -> tinker.Datum:
    usual = {"target_tokens": [2, 3, 4], "weights": [1.0, 1.0, 1.0]}
    return tinker.Datum(PROMPT, {**usual, **inputs})


def forward(*data: tinker.Datum, loss: Any = "cross_entropy", config: Any = None) -> Any:
    return training().forward(list(data) or [datum()], loss, config)


def params(**members: Any) -> tinker.SamplingParams:
    return tinker.SamplingParams(**{"max_tokens": 2, "seed": 1, **members})


def sample(number: Any = 1, *, include: Any = False, top: Any = 0, **members: Any) -> Any:
    return sampler().sample(PROMPT, number, params(**members), include, top)


# ---- numbers, as libraries give them --------------------------------------------------------

for name, members in {
    "max_tokens of numpy": {"max_tokens": np.int64(2)},
    "max_tokens that is a float": {"max_tokens": 2.0},
    "max_tokens that is a text": {"max_tokens": "2"},
    "max_tokens that is a bool": {"max_tokens": True},
    "no max_tokens": {"max_tokens": None, "stop": [0]},
    "seed of numpy": {"seed": np.int64(2)},
    "a large seed": {"seed": 2**64 - 1},
    "a seed that is too large": {"seed": 2**64},
    "temperature of numpy": {"temperature": np.float32(0.5)},
    "temperature of a whole number": {"temperature": np.int64(1)},
    "top_p of numpy": {"top_p": np.float32(0.5)},
    "top_k of numpy": {"top_k": np.int64(3)},
    "no top_k": {"top_k": 0},
    "top_k that is too small": {"top_k": -2},
    "stop texts in a tuple": {"stop": ("a", "b")},
    "stop tokens": {"stop": [5]},
    "stop tokens of numpy": {"stop": [np.int64(5)]},
    "stop tokens in a range": {"stop": range(3)},
    "no stop": {"stop": []},
    "an empty stop text": {"stop": ""},
    "texts and tokens": {"stop": ["a", 5]},
}.items():
    DONE[f"sample: {name}"] = lambda m=members: len(sample(**m).result(SECONDS).sequences)
for name, number in {"numpy": np.int64(2), "a float": 2.0, "a text": "2", "none": 0}.items():
    DONE[f"sample: number of {name}"] = lambda n=number: len(sample(n).result(SECONDS).sequences)
for name, include in {"1": 1, "0": 0, "numpy": np.True_}.items():
    DONE[f"sample: include {name}"] = lambda i=include: (
        sample(include=i).result(SECONDS).prompt_logprobs is not None
    )
for name, rate in {
    "float32": np.float32(1e-4),
    "float64": np.float64(1e-4),
    "whole": np.int64(0),
    "text": "1e-4",
    "bool": True,
    "NaN": float("nan"),
}.items():
    DONE[f"learning rate: {name}"] = lambda r=rate: (
        type(training().optim_step(tinker.AdamParams(learning_rate=r)).result(SECONDS)).__name__
    )
for name, number in {"numpy": np.int64(4), "a float": 4.0, "a text": "4", "0": 0}.items():
    DONE[f"rank of {name}"] = lambda n=number: (
        SERVICE.create_lora_training_client(MODEL, n).result(SECONDS).get_info().lora_rank
    )
SEED: Any = np.int64(1)
DONE["seed of numpy"] = lambda: (
    type(SERVICE.create_lora_training_client(MODEL, 4, SEED).result(SECONDS)).__name__
)
DONE["ttl of numpy"] = lambda: (
    training().save_state("a", ttl_seconds=np.int64(60)).result(SECONDS).path.rpartition("/")[2]
)

# ---- batches --------------------------------------------------------------------------------

for name, data in {
    "a tuple": (datum(),),
    "an array": np.array([datum(), datum()], object),
    "nothing": [],
    "one datum": datum(),
    "dicts": [{"model_input": PROMPT, "loss_fn_inputs": {}}],
}.items():
    DONE[f"batch: {name}"] = lambda d=data: len(
        training().forward_backward(d, "cross_entropy").result(SECONDS).loss_fn_outputs
    )
DONE["batch: a generator"] = lambda: len(
    training().forward((datum() for _ in range(2)), "cross_entropy").result(SECONDS).loss_fn_outputs
)
for name, inputs in {
    "weights of ints": {"weights": [1, 0, 1]},
    "weights of an array of ints": {"weights": np.array([1, 0, 1])},
    "weights of float64": {"weights": np.array([1.0, 0.0, 0.5])},
    "weights of bools": {"weights": [True, False, True]},
    "targets of int32": {"target_tokens": np.array([2, 3, 4], np.int32)},
    "targets of floats": {"target_tokens": np.array([2.0, 3.0, 4.0])},
    "targets without a shape": {"target_tokens": tinker.TensorData([2, 3, 4], "int64")},
    "targets that are too few": {"target_tokens": [2, 3]},
    "another input": {"mask": np.array([1.0, 0.0, 1.0])},
    "another input of another length": {"mask": np.array([1.0])},
}.items():
    DONE[f"inputs: {name}"] = lambda i=inputs: round(
        forward(datum(**i)).result(SECONDS).metrics["loss:sum"], 3
    )
for name, config in {"of numpy": np.float32(0.5), "of an int": 0, "of text": "0.5"}.items():
    DONE[f"loss_fn_config {name}"] = lambda c=config: len(
        forward(
            tinker.Datum(
                PROMPT,
                {"target_tokens": [2, 3, 4], "logprobs": [-1.0] * 3, "advantages": [1, -1, 0]},
            ),
            loss="ppo",
            config={"clip_low_threshold": c},
        )
        .result(SECONDS)
        .loss_fn_outputs
    )
DONE["no loss_fn_config"] = lambda: len(forward(config={}).result(SECONDS).loss_fn_outputs)


# ---- results --------------------------------------------------------------------------------


@done
def results_of_training() -> Any:
    output = forward().result(SECONDS)
    logprobs = output.loss_fn_outputs[0]["logprobs"]
    array = logprobs.to_numpy()
    array -= 1.0
    return sorted(output.metrics), logprobs.dtype, logprobs.shape, len(logprobs.tolist())


@done
def results_of_sampling() -> Any:
    response = sample(2, include=True, top=2).result(SECONDS)
    sequence = response.sequences[0]
    for array in (sequence.tokens_np, sequence.logprobs_np, response.prompt_logprobs_np):
        array[0] = 0
    sequence.tokens.append(5)
    return (
        [type(part).__name__ for part in (response.sequences, sequence.tokens, sequence.logprobs)],
        [type(value).__name__ for value in response.prompt_logprobs],
        [type(row).__name__ for row in response.topk_prompt_logprobs],
        [type(part).__name__ for part in response.topk_prompt_logprobs[1][0]],
        (sequence.stop_reason, len(sequence.tokens)),
    )


@done
def logprobs_of_a_prompt() -> Any:
    logprobs = sampler().compute_logprobs(PROMPT).result(SECONDS)
    return type(logprobs).__name__, [type(value).__name__ for value in logprobs]


@done
def results_in_another_process() -> Any:
    training_output, response = forward().result(SECONDS), sample().result(SECONDS)
    copies = [pickle.loads(pickle.dumps(result)) for result in (training_output, response)]
    return copies[0].metrics == training_output.metrics, (
        copies[1].sequences[0].tokens == response.sequences[0].tokens
    )


@done
def clients_in_another_process() -> Any:
    client = sampler()
    return [
        type(copied).__name__ for copied in (pickle.loads(pickle.dumps(client)), copy.copy(client))
    ]


DONE["a training client in another process"] = lambda: pickle.dumps(training())
DONE["a service client in another process"] = lambda: pickle.dumps(SERVICE)
DONE["a future in another process"] = lambda: pickle.dumps(forward())


@done
def errors_of_a_server() -> Any:
    try:
        SERVICE.create_lora_training_client("no/such-model").result(SECONDS)
    except tinker.BadRequestError as error:
        return [
            (type(e).__name__, e.status_code, e.body, e.response.status_code, e.request.url.path)
            for e in (error, pickle.loads(pickle.dumps(error)))
        ]


# ---- futures --------------------------------------------------------------------------------


@done
def a_result_twice() -> Any:
    future = forward()
    return future.result(SECONDS) is future.result()


def in_loop(function: Callable[[Any, Any], Any]) -> None:
    """Done in an event loop, with clients made before it."""
    DONE[function.__name__.replace("_", " ")] = lambda: asyncio.run(function(training(), sampler()))


def forward_by(client: Any) -> Any:
    return client.forward([datum()], "cross_entropy")


def sample_by(client: Any) -> Any:
    return client.sample(PROMPT, 1, params())


@in_loop
async def awaited_twice(trainer: Any, sampler: Any) -> Any:
    future = forward_by(trainer)
    return await future is await future is future.result()


@in_loop
async def gathered(trainer: Any, sampler: Any) -> Any:
    futures = [sample_by(sampler), sample_by(sampler), forward_by(trainer)]
    return [type(result).__name__ for result in await asyncio.gather(*futures)]


@in_loop
async def waited_for(trainer: Any, sampler: Any) -> Any:
    future = forward_by(trainer)
    try:
        await asyncio.wait_for(future, 0)
    except TimeoutError:
        return "late", type(await asyncio.wait_for(future, SECONDS)).__name__


@in_loop
async def as_tasks(trainer: Any, sampler: Any) -> Any:
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(sampler.sample_async(PROMPT, 1, params())),
            group.create_task(forward_by(trainer).coroutine()),
            asyncio.ensure_future(forward_by(trainer)),
        ]
        await tasks[-1]
    return [type(task.result()).__name__ for task in tasks]


@in_loop
async def one_after_another(trainer: Any, sampler: Any) -> Any:
    waiting = asyncio.as_completed([sample_by(sampler), sample_by(sampler)])
    return [type(await one).__name__ for one in waiting]


@in_loop
async def in_threads(trainer: Any, sampler: Any) -> Any:
    loop = asyncio.get_running_loop()
    return [
        type(await asyncio.to_thread(forward_by(trainer).result)).__name__,
        type(await loop.run_in_executor(None, sample_by(sampler).result, SECONDS)).__name__,
    ]


@in_loop
async def waiting_in_a_loop(trainer: Any, sampler: Any) -> Any:
    futures = forward_by(trainer), sample_by(sampler)
    return [type(future.result(SECONDS)).__name__ for future in futures]


@in_loop
async def a_training_step(trainer: Any, sampler: Any) -> Any:
    step = [
        await trainer.forward_backward_async([datum()], "cross_entropy"),
        await trainer.optim_step_async(tinker.AdamParams()),
        await trainer.save_weights_for_sampler_async("a"),
    ]
    return [type(await future).__name__ for future in step]


@done
def futures_of_the_standard_library() -> Any:
    futures = [forward().future(), sample().future()]
    done, _ = concurrent.futures.wait(futures, SECONDS)
    return len(done), [isinstance(future, concurrent.futures.Future) for future in futures]


for name, future in {
    "training": forward,
    "sampling": sample,
    "clients": lambda: SERVICE.create_sampling_client(base_model=MODEL),
}.items():
    DONE[f"members of futures of {name}"] = lambda f=future: [
        (inspect.isawaitable(f()), inspect.iscoroutine(f()), asyncio.isfuture(f())),
        [
            member
            for member in (
                *["add_done_callback", "cancel", "cancelled", "coroutine", "done", "exception"],
                *["future", "request_id", "result", "result_async", "running"],
            )
            if hasattr(f(), member)
        ],
    ]


@done
def kinds() -> Any:
    client = SERVICE.create_sampling_client(base_model=MODEL)
    return [
        isinstance(client, kind)
        for kind in (tinker.APIFuture, tinker.SamplingClient, tinker.TrainingClient)
    ]


# ---- what is warned about, and where --------------------------------------------------------


def warned(function: Callable[[], Any]) -> Any:
    """The categories of warnings, and whether they name the line that did it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        function()
    categories = (FutureWarning, DeprecationWarning)
    return [
        (w.category.__name__, w.filename == __file__)
        for w in caught
        if issubclass(w.category, categories)
    ]


def run(method: Callable[..., Any], *arguments: Any) -> None:
    async def call() -> None:
        await method(*arguments)

    asyncio.run(call())


def latest(client: Any) -> Any:
    return client.save_state("a").result(SECONDS).path


for name, use in {
    "sample_async": lambda: run(sampler().sample_async, PROMPT, 1, params()),
    "forward_async": lambda: run(training().forward_async, [datum()], "cross_entropy"),
    "get_info_async": lambda: run(training().get_info_async),
    "create_sampling_client_async": lambda: run(SERVICE.create_sampling_client_async, None, MODEL),
    "a future used as a client": lambda: SERVICE.create_sampling_client(
        base_model=MODEL
    ).get_base_model(),
    "an attribute of a future's client": lambda: (
        SERVICE.create_lora_training_client(MODEL).model_id
    ),
    "arguments it does not know": lambda: tinker.ServiceClient(
        base_url=URL, api_key="tml-x", timeout=600.0
    ),
    "a future of a sample used as one of the standard library": lambda: sample().done(),
    "get_server_capabilities": SERVICE.get_server_capabilities,
    "create_rest_client": SERVICE.create_rest_client,
    "load_state": lambda: (c := training()).load_state(latest(c)).result(SECONDS),
    "billing": lambda: tinker.RestClient(
        base_url=URL, api_key="tml-x"
    ).get_current_checkpoint_storage_usage(),
    "a sampler with a name": lambda: (
        training().save_weights_and_get_sampling_client("a").result(SECONDS)
    ),
}.items():
    DONE[f"warned about: {name}"] = lambda u=use: warned(u)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    print(json.dumps({name: outcome(function) for name, function in DONE.items()}))
    sys.stdout.flush()
    os._exit(0)  # whatever threads are left
