"""A whole session with any server, call by call: what works, what is refused and with which words.

    python tests/interop/session.py http://127.0.0.1:8000 [KEY [MODEL]]

Needs no tokenizer: prompts are small token ids, which every vocabulary has.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import tinker
from tinker import types

TIMEOUT = 180


class Report:
    def __init__(self) -> None:
        self.passed: list[str] = []
        self.failed: dict[str, str] = {}

    def call(self, name: str, function: Callable[[], Any]) -> Any:
        """Make one call; what it raises is its result in the report."""
        started = time.monotonic()
        try:
            result = function()
        except Exception as error:  # noqa: BLE001  # whatever a server makes of a call is the finding
            self.failed[name] = f"{type(error).__name__}: {error}"
            print(f"FAIL  {name}: {self.failed[name]}", flush=True)
            return None
        self.passed.append(name)
        print(f"ok    {name} ({time.monotonic() - started:.2f} s)", flush=True)
        return result

    def check(self, name: str, holds: bool) -> None:
        self.call(name, lambda: _require(holds))

    def __str__(self) -> str:
        total = len(self.passed) + len(self.failed)
        return f"{len(self.passed)} of {total} calls passed"


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
        ),
    )
    call("optim_step", lambda: training.optim_step(adam).result(TIMEOUT))
    for loss, config in (
        ("importance_sampling", None),
        ("ppo", {"clip_low_threshold": 0.8, "clip_high_threshold": 1.2}),
    ):
        call(
            f"forward_backward {loss}",
            lambda loss=loss, config=config: training.forward_backward(
                [policy_datum()], loss, config
            ).result(TIMEOUT),
        )
    call("optim_step after policy losses", lambda: training.optim_step(adam).result(TIMEOUT))
    call("forward_backward in chunks", lambda: _chunks(training))
    call("optim_step after chunks", lambda: training.optim_step(adam).result(TIMEOUT))
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
    if sampler is not None:
        _sampling(report, sampler, prompt, params, "")
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
    if sampler_path is not None:
        call("close", lambda: service.close().result(TIMEOUT))
    return report


def _sampling(
    report: Report,
    sampler: tinker.SamplingClient,
    prompt: types.ModelInput,
    params: types.SamplingParams,
    suffix: str,
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
    call("compute_logprobs", lambda: sampler.compute_logprobs(prompt).result(TIMEOUT))
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


def _nll(output: types.ForwardBackwardOutput) -> float:
    """The negative log-likelihood of the first example, without its last position."""
    return -float(output.loss_fn_outputs[0]["logprobs"].to_numpy()[:-1].sum())


if __name__ == "__main__":
    outcome = run(sys.argv[1], *sys.argv[2:])
    print(outcome)
    sys.exit(bool(outcome.failed))
