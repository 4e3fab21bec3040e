"""A whole session of the official SDK, of any version, with the embedded server.

    <environment of the SDK>/bin/python tests/interop/official_session.py http://127.0.0.1:8000

Prints a line of JSON: which calls passed, what the others said, and numbers to compare with our client's.
"""

from __future__ import annotations

import inspect
import json
import sys
import traceback
from collections.abc import Callable
from typing import Any

import tinker
from tinker import types

TIMEOUT = 180
passed: list[str] = []
failed: dict[str, str] = {}
numbers: dict[str, Any] = {}


def call(name: str, function: Callable[..., Any]) -> Any:
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


def newer_options(sampler: Any, prompt: types.ModelInput) -> None:
    """What older versions cannot ask for."""
    known = inspect.signature(sampler.sample).parameters
    dense = {"data": [6, -1, 7, 3, -1, -1, 9, 9], "shape": [4, 2]}
    sparse = {
        "data": [6, 7, 3, 9],
        "shape": [4, 9],
        "sparse_crow_indices": [0, 1, 3, 3, 4],
        "sparse_col_indices": [0, 0, 5, 8],
    }
    last = {"include_prompt_logprobs": True, "topk_prompt_logprobs": 2, "prompt_logprobs_last_n": 2}
    for name, options, read in (
        (
            "topk_sample_logprobs",
            {"topk_sample_logprobs": 3},
            lambda r: [s.topk_logprobs for s in r.sequences],
        ),
        ("prompt_logprobs_last_n", last, lambda r: [r.prompt_logprobs, r.topk_prompt_logprobs]),
        ("target_prompt_logprobs", dense, lambda r: tensor(r.target_prompt_logprobs)),
        ("target_prompt_logprobs, sparse", sparse, lambda r: tensor(r.target_prompt_logprobs)),
        (
            "prompt_alt_tokens_k",
            {"prompt_alt_tokens_k": 3},
            lambda r: [tensor(r.prompt_alt_tokens.tokens), tensor(r.prompt_alt_tokens.logprobs)],
        ),
    ):
        option = name.partition(",")[0]
        if option not in known:
            continue
        asked: dict[str, Any] = options
        if option == "target_prompt_logprobs":
            asked = {option: types.TensorData(dtype="int64", **options)}
        params = types.SamplingParams(max_tokens=2, seed=7, temperature=0.8)
        response = call(
            f"sample {name}",
            lambda asked=asked, params=params: sampler.sample(prompt, 2, params, **asked),
        )
        numbers[name] = response and [read(response), [list(s.tokens) for s in response.sequences]]
    if "prompt_logprobs_last_n" in known:
        numbers["compute_logprobs of the last"] = call(
            "compute_logprobs of the last",
            lambda: sampler.compute_logprobs(prompt, prompt_logprobs_last_n=1),
        )


def tensor(data: Any) -> list[Any]:
    return [list(data.data), data.shape, data.sparse_crow_indices, data.sparse_col_indices]


def stable_reinforce(training: Any, prompt: types.ModelInput) -> None:
    """Training on samples that say how they were drawn."""
    sampler = call(
        "save_weights_and_get_sampling_client that records",
        lambda: training.save_weights_and_get_sampling_client(record_stability_info=True),
    )
    params = types.SamplingParams(max_tokens=6, seed=7, temperature=0.8, stop=[])
    response = call("sample, recorded", lambda: sampler.sample(prompt, 2, params))
    data = []
    for sequence in response.sequences:
        before, count, name = prompt.length - 1, len(sequence.tokens), sequence.sequence_id
        one = types.Datum(
            model_input=prompt.append(types.EncodedTextChunk(tokens=sequence.tokens[:-1])),
            loss_fn_inputs={
                "target_tokens": [0] * before + list(sequence.tokens),
                "logprobs": [0.0] * before + list(sequence.logprobs),
                "advantages": [0.0] * before + [1.0] * count,
            },
        )
        data.append(
            one.with_provenance(
                model_input=[
                    tinker.PromptProvenanceSpan(sequence_id=name, length=prompt.length),
                    tinker.SampledProvenanceSpan(sequence_id=name, length=count - 1),
                ],
                loss_fn_inputs=[
                    tinker.PromptProvenanceSpan(sequence_id=name, offset=1, length=before),
                    tinker.SampledProvenanceSpan(sequence_id=name, length=count),
                ],
            )
        )
    for config in (None, {"kl_estimator": "k3", "kl_coeff": 0.01}, {"kl_estimator": "k1"}):
        output = call(
            f"forward_backward stable_reinforce {config}",
            lambda config=config: training.forward_backward(data, "stable_reinforce", config),
        )
        numbers[f"stable_reinforce {config}"] = output and [
            output.metrics["loss:sum"],
            output.metrics["kl:mean"],
            *(o["elementwise_loss"].tolist() for o in output.loss_fn_outputs),
        ]
    step = call("optim_step after it", lambda: training.optim_step(types.AdamParams()))
    numbers["stable_reinforce grad"] = step and step.metrics["unclipped_grad_l2:mean"]


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
        newer_options(sampler, prompt)
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
    if hasattr(tinker, "SampledProvenanceSpan"):
        stable_reinforce(training, prompt)
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
