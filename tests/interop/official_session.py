"""A whole session of the official SDK, of any version, with the embedded server.

    <environment of the SDK>/bin/python tests/interop/official_session.py http://127.0.0.1:8000

Prints a line of JSON: which calls passed, what the others said, and numbers to compare with our client's.
"""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable
from typing import Any

import tinker
from tinker import types

TIMEOUT = 60
passed: list[str] = []
failed: dict[str, str] = {}
numbers: dict[str, Any] = {}


def call(name: str, function: Callable[[], Any]) -> Any:
    try:
        result = done(function())
    except Exception as error:  # noqa: BLE001  # whatever it is, it is the finding
        failed[name] = f"{type(error).__name__}: {error}"
        print(traceback.format_exc(), file=sys.stderr)
        return None
    passed.append(name)
    return result


def done(value: Any) -> Any:
    """The result of a future; older versions return some things directly."""
    return value.result(TIMEOUT) if hasattr(value, "result") else value


def datum(length: int = 16) -> types.Datum:
    tokens = [(7 * i) % 97 + 3 for i in range(length + 1)]
    return types.Datum(
        model_input=types.ModelInput.from_ints(tokens[:-1]),
        loss_fn_inputs={"target_tokens": tokens[1:], "weights": [1.0] * length},
    )


def policy_datum(length: int = 16) -> types.Datum:
    tokens = [(7 * i) % 97 + 3 for i in range(length + 1)]
    return types.Datum(
        model_input=types.ModelInput.from_ints(tokens[:-1]),
        loss_fn_inputs={
            "target_tokens": tokens[1:],
            "logprobs": [-5.0] * length,
            "advantages": [0.5 - i / length for i in range(length)],
        },
    )


def main(base_url: str) -> None:
    service = call(
        "ServiceClient", lambda: tinker.ServiceClient(base_url=base_url, api_key="tml-x")
    )
    call("get_server_capabilities", service.get_server_capabilities)
    training = call(
        "create_lora_training_client",
        lambda: service.create_lora_training_client(
            base_model="tinker-local/tiny", rank=8, seed=1, user_metadata={"a": "b"}
        ),
    )
    if training is None:
        return
    call("get_info", training.get_info)
    output = call("forward", lambda: training.forward([datum()], "cross_entropy"))
    numbers["forward"] = output and output.loss_fn_outputs[0]["logprobs"].tolist()
    output = call("forward_backward", lambda: training.forward_backward([datum()], "cross_entropy"))
    numbers["loss"] = output and output.metrics["loss:sum"]
    adam = types.AdamParams(learning_rate=1e-3)
    step = call("optim_step", lambda: training.optim_step(adam))
    numbers["grad"] = step and step.metrics["unclipped_grad_l2:mean"]
    for loss in ("importance_sampling", "ppo", "cispo", "dro"):
        output = call(
            f"forward_backward {loss}",
            lambda loss=loss: training.forward_backward([policy_datum()], loss),
        )
        numbers[loss] = output and output.metrics["loss:sum"]
    call("optim_step after them", lambda: training.optim_step(adam))
    output = call(
        "forward_backward in parallel chunks",
        lambda: training.forward_backward([datum(64) for _ in range(2100)], "cross_entropy"),
    )
    numbers["chunks"] = output and [len(output.loss_fn_outputs), output.metrics["loss:sum"]]
    futures = [
        future
        for _ in range(3)
        for future in (
            training.forward_backward([datum()], "cross_entropy"),
            training.optim_step(adam),
        )
    ]
    results = call("pipelined steps", lambda: [done(future) for future in futures])
    numbers["pipelined"] = results and [r.metrics["loss:sum"] for r in results[::2]]

    state = call("save_state", lambda: training.save_state("state"))
    call("load_state", lambda: training.load_state(state.path))
    call("load_state_with_optimizer", lambda: training.load_state_with_optimizer(state.path))
    for name in (
        "create_training_client_from_state",
        "create_training_client_from_state_with_optimizer",
    ):
        resumed = call(name, lambda name=name: getattr(service, name)(state.path))
        if resumed is not None:
            output = call(
                f"forward after {name}",
                lambda resumed=resumed: resumed.forward([datum()], "cross_entropy"),
            )
            numbers[name] = output and output.loss_fn_outputs[0]["logprobs"].tolist()
    saved = call("save_weights_for_sampler", lambda: training.save_weights_for_sampler("sampler"))
    sampler = call(
        "create_sampling_client by path",
        lambda: service.create_sampling_client(model_path=saved.path),
    )
    prompt = types.ModelInput.from_ints([5, 6, 7, 8, 9])
    if sampler is not None:
        for name, params, options in (
            ("plain", {"max_tokens": 8, "seed": 7}, {}),
            ("greedy", {"max_tokens": 8, "temperature": 0.0}, {}),
            ("top_k top_p", {"max_tokens": 8, "seed": 7, "top_k": 5, "top_p": 0.9}, {}),
            ("stop text", {"max_tokens": 8, "seed": 7, "stop": "e"}, {}),
            ("stop texts", {"max_tokens": 8, "seed": 7, "stop": ["e", "a"]}, {}),
            ("stop tokens", {"max_tokens": 8, "seed": 7, "stop": [101]}, {}),
            ("prompt_logprobs", {"max_tokens": 2, "seed": 7}, {"include_prompt_logprobs": True}),
            (
                "topk_prompt_logprobs",
                {"max_tokens": 2, "seed": 7},
                {"include_prompt_logprobs": True, "topk_prompt_logprobs": 3},
            ),
        ):
            response = call(
                f"sample {name}",
                lambda params=params, options=options: sampler.sample(
                    prompt=prompt,
                    num_samples=2,
                    sampling_params=types.SamplingParams(**params),
                    **options,
                ),
            )
            numbers[f"sample {name}"] = response and [list(s.tokens) for s in response.sequences]
            if response is not None and options:
                numbers[name] = response.prompt_logprobs  # the oldest version has no top-k
        numbers["compute_logprobs"] = call(
            "compute_logprobs", lambda: sampler.compute_logprobs(prompt)
        )
        call(
            "16 samples at once",
            lambda: [
                done(f)
                for f in [
                    sampler.sample(prompt, 1, types.SamplingParams(max_tokens=4)) for _ in range(16)
                ]
            ],
        )
    call(
        "save_weights_and_get_sampling_client",
        lambda: training.save_weights_and_get_sampling_client("x"),
    )
    call(
        "create_sampling_client by base model",
        lambda: service.create_sampling_client(base_model="tinker-local/tiny"),
    )
    if hasattr(service, "close"):
        call("close", lambda: service.close("success"))


main(sys.argv[1])
print(
    json.dumps(
        {"version": tinker.__version__, "passed": passed, "failed": failed, "numbers": numbers}
    )
)
