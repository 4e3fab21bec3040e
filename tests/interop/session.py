"""A whole session with any server, call by call: what works, what is refused and with which words.

    python tests/interop/session.py http://127.0.0.1:8000 [KEY [MODEL]]

Needs no tokenizer: prompts are small token ids, which every vocabulary has.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import sys
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, ThreadPoolExecutor
from typing import Any

import numpy as np

import tinker
from tinker import types

TIMEOUT = 180


class Report:
    def __init__(self) -> None:
        self.passed: list[str] = []
        self.failed: dict[str, str] = {}
        self.seconds: dict[str, float] = {}

    def call(self, name: str, function: Callable[..., Any]) -> Any:
        """Make one call; what it raises is its result in the report."""
        started = time.monotonic()
        try:
            result = function()
        except Exception as error:  # noqa: BLE001  # whatever a server makes of a call is the finding
            result, self.failed[name] = None, f"{type(error).__name__}: {error}"
        else:
            self.passed.append(name)
        self.seconds[name] = time.monotonic() - started
        outcome = self.failed.get(name, "ok")
        print(f"{self.seconds[name]:6.2f} s  {name}: {outcome}", flush=True)
        return result

    def check(self, name: str, holds: bool) -> None:
        self.call(name, lambda: _require(holds))

    def __str__(self) -> str:
        longest = max(self.seconds, key=self.seconds.__getitem__)
        return (
            f"{len(self.passed)} of {len(self.seconds)} calls passed in {sum(self.seconds.values()):.1f} s; "
            f"the longest: {longest}, {self.seconds[longest]:.1f} s"
        )


def _require(holds: bool) -> None:
    if not holds:
        raise AssertionError("does not hold")


def datum(length: int = 16, **inputs: Any) -> types.Datum:
    tokens = [(7 * i) % 97 + 3 for i in range(length)]
    return types.Datum(types.ModelInput.from_ints(tokens), inputs)


def policy_datum(length: int = 16) -> types.Datum:
    return datum(
        length,
        target_tokens=[(7 * (i + 1)) % 97 + 3 for i in range(length)],
        logprobs=np.full(length, -5.0, np.float32),
        advantages=np.linspace(-1, 1, length, dtype=np.float32),
    )


def run(base_url: str, api_key: str = "tml-dummy", model: str | None = None) -> Report:
    report = Report()
    call = report.call
    adam = types.AdamParams(learning_rate=1e-3)
    service = call(
        "ServiceClient", lambda: tinker.ServiceClient(base_url=base_url, api_key=api_key)
    )
    capabilities = call("get_server_capabilities", service.get_server_capabilities)
    models = [m.model_name for m in capabilities.supported_models if m.trainable is not False]
    model = model or models[0]
    training = call(
        "create_lora_training_client",
        lambda: service.create_lora_training_client(model, rank=8, seed=1).result(TIMEOUT),
    )
    if training is None:
        return report
    call("get_info", training.get_info)
    first = call("forward", lambda: training.forward([datum()], "cross_entropy").result(TIMEOUT))
    fb = call(
        "forward_backward",
        lambda: training.forward_backward([datum()], "cross_entropy").result(TIMEOUT),
    )
    report.check(
        "forward and forward_backward agree",
        first is not None
        and fb is not None
        and np.allclose(
            first.loss_fn_outputs[0]["logprobs"].to_numpy(),
            fb.loss_fn_outputs[0]["logprobs"].to_numpy(),
            atol=1e-3,
            equal_nan=True,  # the last position has no target
        ),
    )
    call("optim_step", lambda: training.optim_step(adam).result(TIMEOUT))
    policies: list[tuple[Any, Any]] = [
        ("importance_sampling", None),
        ("ppo", {"clip_low_threshold": 0.8, "clip_high_threshold": 1.2}),
    ]
    for loss, config in policies:
        call(
            f"forward_backward {loss}",
            lambda loss=loss, config=config: training.forward_backward(
                [policy_datum()], loss, config
            ).result(TIMEOUT),
        )
    call("optim_step after policy losses", lambda: training.optim_step(adam).result(TIMEOUT))
    call("forward_backward in chunks", lambda: _chunks(training))
    call("optim_step after chunks", lambda: training.optim_step(adam).result(TIMEOUT))
    custom: list[tuple[str, Any]] = [("numpy", tinker.NumpyLoss(_numpy_loss))]
    with contextlib.suppress(ModuleNotFoundError):  # tests/torch may be found in its place
        importlib.import_module("torch.autograd")
        custom.append(("torch", _torch_loss))
    for kind, loss in custom:
        output = call(
            f"forward_backward_custom in {kind}",
            lambda loss=loss: training.forward_backward_custom([datum(8)], loss).result(TIMEOUT),
        )
        report.check(
            f"the {kind} loss and its gradient are the cross-entropy's",
            output is not None
            and np.isclose(output.metrics["loss:sum"], _nll_of(output), atol=1e-3),
        )
    call("optim_step after custom losses", lambda: training.optim_step(adam).result(TIMEOUT))
    call("pipelined steps", lambda: _pipelined(training, adam))
    after = call(
        "forward after training",
        lambda: training.forward([datum()], "cross_entropy").result(TIMEOUT),
    )
    report.check(
        "training lowers the loss",
        first is not None and after is not None and _nll(after) < _nll(first),
    )

    sampler_path = call(
        "save_weights_for_sampler",
        lambda: training.save_weights_for_sampler("interop-sampler").result(TIMEOUT).path,
    )
    prompt = types.ModelInput.from_ints([5, 6, 7, 8, 9])
    params = types.SamplingParams(max_tokens=8, temperature=0.7, seed=7)
    sampler = call(
        "create_sampling_client by path",
        lambda: service.create_sampling_client(model_path=sampler_path).result(TIMEOUT),
    )
    ephemeral = call(
        "save_weights_and_get_sampling_client",
        lambda: training.save_weights_and_get_sampling_client().result(TIMEOUT),
    )
    if ephemeral is not None:
        call("sample from it", lambda: ephemeral.sample(prompt, 1, params).result(TIMEOUT))
    base = call(
        "create_sampling_client by base model",
        lambda: service.create_sampling_client(base_model=model).result(TIMEOUT),
    )
    if base is not None:
        call("sample from the base model", lambda: base.sample(prompt, 1, params).result(TIMEOUT))
    sampler = sampler or ephemeral or base
    if sampler is not None:
        _sampling(report, sampler, prompt, params)

    state = call("save_state", lambda: training.save_state("interop-state").result(TIMEOUT).path)
    call("load_state into the model", lambda: training.load_state(state).result(TIMEOUT))
    for name, create in (
        ("create_training_client_from_state", service.create_training_client_from_state),
        (
            "create_training_client_from_state_with_optimizer",
            service.create_training_client_from_state_with_optimizer,
        ),
    ):
        resumed = call(name, lambda create=create: create(state).result(TIMEOUT))
        if resumed is None:
            continue
        again = call(
            f"forward after {name}",
            lambda resumed=resumed: resumed.forward([datum()], "cross_entropy").result(TIMEOUT),
        )
        report.check(
            f"{name} restores the weights",
            again is not None and after is not None and abs(_nll(again) - _nll(after)) < 1e-2,
        )
    call("train on after resuming", lambda: _pipelined(training, adam))
    _reads(report, service, training, sampler, sampler_path, state)
    call("two sessions, from threads and asyncio", lambda: _at_once(base_url, api_key, model))
    call("get_tokenizer", lambda: training.get_tokenizer().encode("Hello"))
    call("unload_model", lambda: training.unload_model().result(TIMEOUT))
    call("close", lambda: service.close().result(TIMEOUT))
    return report


def _reads(
    report: Report,
    service: tinker.ServiceClient,
    training: tinker.TrainingClient,
    sampler: tinker.SamplingClient | None,
    sampler_path: str | None,
    state: Any,
) -> None:
    """What the server tells of what the session has made, and what can be done with it."""
    call, rest = report.call, service.create_rest_client()
    run = training.model_id
    call("get_training_run", lambda: rest.get_training_run(run).result(TIMEOUT))
    runs = call(
        "iter_training_runs", lambda: [r.training_run_id for r in rest.iter_training_runs()]
    )
    if runs is not None:
        report.check("the run is among them", run in runs)
    sessions = call("iter_sessions", lambda: list(rest.iter_sessions()))
    if sessions:
        report.check("the session is among them", service.holder.known_id in sessions)
        call("get_session", lambda: rest.get_session(sessions[0]).result(TIMEOUT))
    if sampler is not None:
        call("get_sampler", lambda: rest.get_sampler(sampler.sampling_session_id).result(TIMEOUT))
    listed = call("list_checkpoints", lambda: rest.list_checkpoints(run).result(TIMEOUT))
    if listed is not None:
        report.check("the checkpoint is among them", state in _paths(listed.checkpoints))
    everything = call("iter_user_checkpoints", lambda: list(rest.iter_user_checkpoints()))
    if everything is not None:
        report.check("the user's are all of them", state in _paths(everything))
    call(
        "get_weights_info_by_tinker_path",
        lambda: rest.get_weights_info_by_tinker_path(state).result(TIMEOUT),
    )
    for action in (
        rest.publish_checkpoint_from_tinker_path,
        rest.unpublish_checkpoint_from_tinker_path,
    ):
        call(action.__name__, lambda action=action: action(state).result(TIMEOUT))
    call(
        "set_checkpoint_ttl_from_tinker_path",
        lambda: rest.set_checkpoint_ttl_from_tinker_path(state, 3600).result(TIMEOUT),
    )
    for path in filter(None, (sampler_path, state)):
        kind = "sampler" if path == sampler_path else "training"
        name = f"delete_checkpoint of {kind}"
        call(name, lambda path=path: rest.delete_checkpoint_from_tinker_path(path).result(TIMEOUT))
        if name in report.passed and listed is not None:
            left = rest.list_checkpoints(run).result(TIMEOUT).checkpoints
            report.check(f"the {kind} checkpoint is gone", path not in _paths(left))


def _at_once(base_url: str, api_key: str, model: str) -> None:
    """Two sessions train and sample: one from two threads, one from an event loop."""
    prompt, params = types.ModelInput.from_ints([5, 6, 7]), types.SamplingParams(max_tokens=2)

    async def from_a_loop() -> None:
        with tinker.ServiceClient(base_url=base_url, api_key=api_key) as service:
            training = await service.create_lora_training_client(model, rank=8)
            steps = training.forward_backward([datum()], "cross_entropy"), training.optim_step()
            await asyncio.gather(*steps)
            sampler = await training.save_weights_and_get_sampling_client()
            await asyncio.gather(*(sampler.sample(prompt, 1, params) for _ in range(4)))

    def train(training: tinker.TrainingClient) -> None:
        for _ in range(2):
            training.forward_backward([datum()], "cross_entropy").result(TIMEOUT)

    with ThreadPoolExecutor(3) as threads:
        other = threads.submit(asyncio.run, from_a_loop())
        with tinker.ServiceClient(base_url=base_url, api_key=api_key) as service:
            training = service.create_lora_training_client(model, rank=8).result(TIMEOUT)
            for done in [threads.submit(train, training) for _ in range(2)]:
                done.result(TIMEOUT)
        other.result(TIMEOUT)


def _paths(checkpoints: list[types.Checkpoint]) -> list[str]:
    return [checkpoint.tinker_path for checkpoint in checkpoints]


def _sampling(
    report: Report,
    sampler: tinker.SamplingClient,
    prompt: types.ModelInput,
    params: types.SamplingParams,
) -> None:
    call = report.call
    two = call("sample, 2 samples", lambda: sampler.sample(prompt, 2, params).result(TIMEOUT))
    report.check("2 samples came", two is not None and len(two.sequences) == 2)
    report.check(
        "their names and logprobs came",
        two is not None
        and all(
            s.sequence_id and s.logprobs is not None and len(s.logprobs) == len(s.tokens)
            for s in two.sequences
        ),
    )
    call(
        "sample with a stop text",
        lambda: sampler.sample(prompt, 1, types.SamplingParams(max_tokens=8, stop="zzzz")).result(
            TIMEOUT
        ),
    )
    scored = call(
        "sample with prompt_logprobs",
        lambda: sampler.sample(prompt, 1, params, include_prompt_logprobs=True).result(TIMEOUT),
    )
    report.check(
        "prompt_logprobs have the documented form",
        scored is not None
        and scored.prompt_logprobs is not None
        and len(scored.prompt_logprobs) == prompt.length
        and scored.prompt_logprobs[0] is None,
    )
    call(
        "sample with topk_prompt_logprobs",
        lambda: sampler.sample(
            prompt, 1, params, include_prompt_logprobs=True, topk_prompt_logprobs=2
        ).result(TIMEOUT),
    )
    call(
        "sample with topk_sample_logprobs",
        lambda: sampler.sample(prompt, 1, params, topk_sample_logprobs=2).result(TIMEOUT),
    )
    scores = call("compute_logprobs", lambda: sampler.compute_logprobs(prompt).result(TIMEOUT))
    last = call("compute_logprobs of the last 2", lambda: _last_two(sampler, prompt))
    if last is not None:
        report.check("they are the last 2 of all", np.allclose(last, scores[-2:], atol=1e-3))
    call("sample_stream", lambda: _streamed(sampler, prompt, params))
    call("a cancelled sample", lambda: _cancelled(sampler, prompt))
    call(
        "16 samples at once",
        lambda: [f.result(TIMEOUT) for f in [sampler.sample(prompt, 1, params) for _ in range(16)]],
    )


def _chunks(training: tinker.TrainingClient) -> None:
    result = training.forward_backward([datum(8) for _ in range(130)], "cross_entropy")
    output = result.result(TIMEOUT)
    assert result.progress is not None
    assert len(result.progress.seq_ids) == 2, result.progress.seq_ids
    assert len(output.loss_fn_outputs) == 130, len(output.loss_fn_outputs)


def _pipelined(training: tinker.TrainingClient, adam: types.AdamParams) -> None:
    steps = [
        (training.forward_backward([datum()], "cross_entropy"), training.optim_step(adam))
        for _ in range(3)
    ]
    losses = [_nll(fb.result(TIMEOUT)) for fb, _ in steps]
    for _, optim in steps:
        optim.result(TIMEOUT)
    assert losses == sorted(losses, reverse=True), losses


def _last_two(sampler: tinker.SamplingClient, prompt: types.ModelInput) -> list[float | None]:
    scores = sampler.compute_logprobs(prompt, prompt_logprobs_last_n=2).result(TIMEOUT)
    assert len(scores) == prompt.length, scores
    assert scores[:-2] == [None] * (prompt.length - 2), scores
    return scores[-2:]


def _streamed(
    sampler: tinker.SamplingClient, prompt: types.ModelInput, params: types.SamplingParams
) -> None:
    events = list(sampler.sample_stream(prompt, params))
    assert events[-1].finish_reason is not None, events
    assert events[-1].total_tokens == len(events) - 1, events


def _cancelled(sampler: tinker.SamplingClient, prompt: types.ModelInput) -> None:
    """Give one up, and take another."""
    given_up = sampler.sample(prompt, 1, types.SamplingParams(max_tokens=64))
    given_up.future().cancel()
    with contextlib.suppress(CancelledError):
        given_up.result(TIMEOUT)
    sampler.sample(prompt, 1, types.SamplingParams(max_tokens=2)).result(TIMEOUT)


def _numpy_loss(
    data: list[types.Datum], logprobs: list[np.ndarray]
) -> tuple[float, dict[str, float], list[np.ndarray]]:
    """The cross-entropy."""
    return -float(sum(lp.sum() for lp in logprobs)), {}, [-np.ones_like(lp) for lp in logprobs]


def _torch_loss(data: list[types.Datum], logprobs: list[Any]) -> tuple[Any, dict[str, float]]:
    return -sum(lp.sum() for lp in logprobs), {}


def _nll_of(output: types.ForwardBackwardOutput) -> float:
    return -float(sum(np.nansum(one["logprobs"].to_numpy()) for one in output.loss_fn_outputs))


def _nll(output: types.ForwardBackwardOutput) -> float:
    """The negative log-likelihood of the first example, without its last position."""
    return -float(output.loss_fn_outputs[0]["logprobs"].to_numpy()[:-1].sum())


if __name__ == "__main__":
    outcome = run(sys.argv[1], *sys.argv[2:])
    print(outcome)
    sys.exit(bool(outcome.failed))
