"""Code written for earlier ways of the official SDK: clients without `.result()`, `*_async`, plain futures of samples."""

from __future__ import annotations

import asyncio
import concurrent.futures
import inspect
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tinker

PROMPT = tinker.ModelInput.from_ints([1, 2, 3])
DATUM = tinker.Datum(PROMPT)
PARAMS = tinker.SamplingParams(max_tokens=3, seed=1)
MODEL = "tinker-local/tiny"


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        yield


# ---- futures of clients ---------------------------------------------------------------------


def test_the_future_of_a_client_is_used_as_the_client(service: tinker.ServiceClient) -> None:
    training = service.create_lora_training_client(MODEL, rank=4, seed=7)
    assert isinstance(training, tinker.TrainingClient)
    assert isinstance(training, tinker.APIFuture)
    fb = training.forward_backward([DATUM], "cross_entropy")
    optim = training.optim_step(tinker.AdamParams())
    assert fb.result(timeout=60).metrics["loss:sum"] > 0
    optim.result(timeout=60)
    assert training.model_id == training.result().model_id
    assert training.get_tokenizer().decode([65]) == "A"

    sampler = training.save_weights_and_get_sampling_client("name")
    assert isinstance(sampler, tinker.SamplingClient)
    assert len(sampler.sample(PROMPT, 1, PARAMS).result(timeout=60).sequences[0].tokens) == 3
    assert sampler.get_base_model() == MODEL


async def _in_a_loop(service: tinker.ServiceClient) -> list[str]:
    training = service.create_lora_training_client(MODEL, rank=4)
    fb = await training.forward_backward_async([DATUM], "cross_entropy")
    assert isinstance(fb, tinker.APIFuture)
    await fb
    sampler = service.create_sampling_client(base_model=MODEL)
    assert len((await sampler.sample_async(PROMPT, 2, PARAMS)).sequences) == 2
    return [type(await training).__name__, type(await sampler).__name__]


def test_the_future_of_a_client_in_an_event_loop(service: tinker.ServiceClient) -> None:
    assert asyncio.run(_in_a_loop(service)) == ["TrainingClient", "SamplingClient"]


def test_using_the_future_as_the_client_warns_where_it_is_done(
    service: tinker.ServiceClient,
) -> None:
    sampler = service.create_sampling_client(base_model=MODEL)
    with pytest.warns(FutureWarning, match=r"\.get_base_model.*call \.result\(\)") as caught:
        sampler.get_base_model()
    with pytest.warns(FutureWarning, match=r"\.sampling_session_id"):
        assert sampler.sampling_session_id
    assert {warning.filename for warning in caught} == {__file__}


def test_a_deprecated_method_warns_where_it_is_called(service: tinker.ServiceClient) -> None:
    """Not where its coroutine runs, which may be a line of asyncio."""
    sampler = service.create_sampling_client(base_model=MODEL).result(timeout=60)
    future = service.create_sampling_client(base_model=MODEL)

    async def awaited() -> None:
        await sampler.sample_async(PROMPT, 1, PARAMS)
        await future.compute_logprobs_async(PROMPT)
        await service.get_server_capabilities_async()

    async def gathered() -> None:
        await asyncio.gather(
            sampler.sample_async(PROMPT, 1, PARAMS),
            future.compute_logprobs_async(PROMPT),
            service.get_server_capabilities_async(),
        )

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        asyncio.run(awaited())
        asyncio.run(gathered())
        asyncio.run(service.get_server_capabilities_async())
    assert {warning.filename for warning in caught} == {__file__}
    lines = Path(__file__).read_text().splitlines()
    called = [lines[warning.lineno - 1] for warning in caught]
    assert len(called) == 7
    assert all("_async(" in line for line in called)


def test_completion_proposes_no_deprecated_methods(service: tinker.ServiceClient) -> None:
    future = service.create_sampling_client(base_model=MODEL)
    sampler = future.result(timeout=60)
    for client, method in (
        (service, "get_server_capabilities"),
        (sampler, "sample"),
        (future, "sample"),
    ):
        assert method in dir(client)
        assert [name for name in dir(client) if name.endswith("_async")] in ([], ["result_async"])
        assert f"{method}_async" in dir(type(client))  # mocks go by the class
    assert "result_async" in dir(future)


def test_the_future_of_a_client_that_fails(service: tinker.ServiceClient) -> None:
    training = service.create_lora_training_client("no/such-model")
    with pytest.raises(tinker.APIStatusError, match="no/such-model"):
        training.forward_backward([DATUM], "cross_entropy")
    with pytest.raises(AttributeError, match="_private"):
        training._private  # noqa: B018
    assert "failed" in repr(training)


def test_a_client_without_the_future_does_not_warn(service: tinker.ServiceClient) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        training = service.create_lora_training_client(MODEL, rank=4).result(timeout=60)
        training.forward_backward([DATUM], "cross_entropy").result(timeout=60)
        sampler = training.save_weights_and_get_sampling_client().result(timeout=60)
        sample = sampler.sample(PROMPT, 1, PARAMS).result(timeout=60)
    assert len(sample.sequences) == 1


# ---- *_async --------------------------------------------------------------------------------


async def _a_session(service: tinker.ServiceClient) -> None:
    names = (await service.get_server_capabilities_async()).supported_models
    assert MODEL in [model.model_name for model in names]
    training = await service.create_lora_training_client_async(base_model=MODEL, rank=4)
    assert (await training.get_info_async()).model_data.model_name == MODEL

    forward = await training.forward_async([DATUM], "cross_entropy")
    fb = await training.forward_backward_async([DATUM], "cross_entropy")
    optim = await training.optim_step_async(tinker.AdamParams())
    assert (await forward).metrics == (await fb).metrics
    await optim

    saved = await (await training.save_state_async("a"))
    await (await training.load_state_async(saved.path))
    await (await training.load_state_with_optimizer_async(saved.path))
    again = await service.create_training_client_from_state_async(saved.path)
    more = await service.create_training_client_from_state_with_optimizer_async(saved.path)
    assert len({training.model_id, again.model_id, more.model_id}) == 3

    path = (await (await training.save_weights_for_sampler_async("b"))).path
    samplers = [
        await training.create_sampling_client_async(path),
        await service.create_sampling_client_async(model_path=path),
        await training.save_weights_and_get_sampling_client_async("c"),
    ]
    for sampler in samplers:
        assert await sampler.get_base_model_async() == MODEL
        assert len((await sampler.sample_async(PROMPT, 1, PARAMS)).sequences[0].tokens) == 3
        assert len(await sampler.compute_logprobs_async(PROMPT)) == 3


def test_a_session_of_async_methods(service: tinker.ServiceClient) -> None:
    asyncio.run(_a_session(service))


@pytest.mark.parametrize(
    "client", [tinker.ServiceClient, tinker.TrainingClient, tinker.SamplingClient]
)
def test_async_methods_look_like_those_they_stand_for(client: type) -> None:
    names = [name for name in dir(client) if name.endswith("_async")]
    assert len(names) >= 3
    for name in names:
        method, replacement = getattr(client, name), getattr(client, name.removesuffix("_async"))
        assert inspect.iscoroutinefunction(method)
        assert (
            inspect.signature(method).parameters.keys()
            == inspect.signature(replacement).parameters.keys()
        )
        assert method.__name__ == name
        assert "Deprecated" in method.__doc__


def test_an_async_method_warns_and_calls_what_a_subclass_has(service: tinker.ServiceClient) -> None:
    class Mine(tinker.TrainingClient):
        def forward(self, *args: object, **kwargs: object) -> Any:
            return "mine"

    training = service.create_lora_training_client(MODEL, rank=4).result(timeout=60)
    mine = Mine(training.holder, training.model_seq_id, training.model_id, info=training.get_info())
    with pytest.warns(FutureWarning, match=r"Mine\.forward_async\(\) is deprecated: use forward"):
        returned: object = asyncio.run(mine.forward_async([DATUM], "cross_entropy"))
    assert returned == "mine"


# ---- futures of samples ---------------------------------------------------------------------


def test_samples_are_futures_of_the_standard_library(service: tinker.ServiceClient) -> None:
    sampler = service.create_sampling_client(base_model=MODEL).result(timeout=60)
    futures: list[Any] = [sampler.sample(PROMPT, 1, PARAMS) for _ in range(4)]
    futures_of_logprobs: list[Any] = [sampler.compute_logprobs(PROMPT)]
    called: list[object] = []
    futures[0].add_done_callback(called.append)
    done = list(concurrent.futures.as_completed(futures, timeout=60))
    assert set(done) == set(futures)
    assert called == [futures[0]]
    assert all(future.done() and future.exception() is None for future in done)
    assert not concurrent.futures.wait(futures_of_logprobs, timeout=60).not_done
    assert futures[0].future() is futures[0]
    assert len({str(future.result().sequences[0].tokens) for future in futures}) == 1


def test_a_sample_is_cancelled_and_awaited(service: tinker.ServiceClient) -> None:
    sampler = service.create_sampling_client(base_model=MODEL).result(timeout=60)

    async def both() -> int:
        long = sampler.sample(PROMPT, 1, tinker.SamplingParams(max_tokens=30_000))
        assert long.cancel()  # type: ignore[attr-defined]
        with pytest.raises(asyncio.CancelledError):
            await long
        with pytest.raises(concurrent.futures.CancelledError):
            long.result(timeout=60)
        responses = await asyncio.gather(*[sampler.sample(PROMPT, 1, PARAMS) for _ in range(3)])
        return len(responses)

    assert asyncio.run(both()) == 3


def test_the_model_id_has_its_older_name(training: tinker.TrainingClient) -> None:
    assert training._guaranteed_model_id() == training.model_id
