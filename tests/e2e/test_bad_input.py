"""Bad input: one clear line, the right exception, and nothing sent that need not be."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import numpy as np
import pytest

import tinker
from tests.support import pauses
from tests.support.present import present
from tinker.events import Request
from tinker.retry_config import RetryConfig
from tinker_local import LocalServer

GOOD = tinker.ModelInput.from_ints([1, 2, 3])


IMAGE = tinker.types.ImageChunk(data=b"", format="png")


def datum(**inputs: object) -> tinker.Datum:
    return tinker.Datum(GOOD, inputs)


REFUSED: dict[str, tuple[Callable[[tinker.TrainingClient], object], type[Exception], str]] = {
    "empty batch": (
        lambda t: t.forward_backward([], "cross_entropy"),
        ValueError,
        "data is empty; a batch needs at least one Datum.",
    ),
    "not a list": (
        lambda t: t.forward_backward(datum(), "cross_entropy"),  # type: ignore[arg-type]
        TypeError,
        "data is one Datum; it must be a list",
    ),
    "NaN": (
        lambda t: t.forward_backward([datum(weights=[1.0, float("nan"), 1.0])], "cross_entropy"),
        ValueError,
        r"data\[0\]\.loss_fn_inputs\['weights'\]\.data\[1\] is nan; it must be finite",
    ),
    "infinity": (
        lambda t: t.forward_backward(
            [
                datum(),
                datum(
                    target_tokens=[1, 2, 3],
                    logprobs=np.array([0, -np.inf, 0], np.float32),
                    advantages=[1.0, 1.0, 1.0],
                ),
            ][1:],
            "ppo",
        ),
        ValueError,
        r"'logprobs'\]\.data\[1\] is -inf; it must be finite",
    ),
    "wrong dtype": (
        lambda t: t.forward_backward(
            [datum(target_tokens=tinker.TensorData(data=[1.0, 2.0, 3.0], dtype="float32"))],
            "cross_entropy",
        ),
        ValueError,
        r"target_tokens is float32; it must be int64",
    ),
    "target too short": (
        lambda t: t.forward_backward([datum(target_tokens=[1, 2])], "cross_entropy"),
        ValueError,
        "has length 2; it must be as long as the model_input: 3",
    ),
    "unknown loss": (
        lambda t: t.forward_backward([datum()], "cross_entrpy"),  # type: ignore[arg-type]
        ValueError,
        "loss_fn is 'cross_entrpy'; allowed: cross_entropy, importance_sampling",
    ),
    "unknown loss_fn_config key": (
        lambda t: t.forward_backward(
            [datum(target_tokens=[1, 2, 3], logprobs=[0.0] * 3, advantages=[0.0] * 3)],
            "ppo",
            {"clip_hi": 1.0},
        ),
        ValueError,
        "'clip_hi'; ppo takes these keys: clip_low_threshold, clip_high_threshold",
    ),
    "missing input": (
        lambda t: t.forward_backward([datum(target_tokens=[1, 2, 3])], "ppo"),
        ValueError,
        "no 'logprobs', which ppo needs",
    ),
    "no provenance": (
        lambda t: t.forward_backward(
            [datum(target_tokens=[1, 2, 3], advantages=[0.0] * 3)], "stable_reinforce"
        ),
        ValueError,
        r"data\[0\] has no provenance spans, which stable_reinforce needs",
    ),
    "provenance of another length": (
        lambda t: t.forward_backward(
            [
                tinker.Datum(
                    GOOD,
                    {"target_tokens": [1, 2, 3], "advantages": [0.0] * 3},
                    [tinker.PromptProvenanceSpan(sequence_id="a", length=3)],
                    [tinker.SampledProvenanceSpan(sequence_id="a", length=2)],
                )
            ],
            "stable_reinforce",
        ),
        ValueError,
        r"data\[0\]: the provenance spans cover 2 positions; target_tokens has 3",
    ),
    "not a datum": (
        lambda t: t.forward_backward([[1, 2, 3]], "cross_entropy"),  # type: ignore[list-item]
        TypeError,
        r"data\[0\] is a list; it must be a Datum.",
    ),
    "loss_fn_config that is no dict": (
        lambda t: t.forward_backward([datum()], "cross_entropy", [("beta", 1.0)]),  # type: ignore[arg-type]
        TypeError,
        "loss_fn_config is of type list; it must be a dict",
    ),
    "loss_fn_config that is no number": (
        lambda t: t.forward_backward(
            [datum(target_tokens=[1, 2, 3], logprobs=[0.0] * 3, advantages=[0.0] * 3)],
            "ppo",
            {"clip_low_threshold": "0.8"},
        ),
        ValueError,
        r"loss_fn_config\['clip_low_threshold'\] is '0.8'; it must be a finite number",
    ),
    "nothing to predict": (
        lambda t: t.forward_backward(
            [tinker.Datum(tinker.ModelInput.from_ints([1]), {})], "cross_entropy"
        ),
        ValueError,
        r"data\[0\] has no target_tokens, and its input has 1 tokens",
    ),
    "nothing to predict in an image": (
        lambda t: t.forward_backward([tinker.Datum(GOOD.append(IMAGE), {})], "cross_entropy"),
        ValueError,
        r"data\[0\] has no target_tokens, and its input is not only text",
    ),
    "weights of another shape": (
        lambda t: t.forward_backward(
            [datum(target_tokens=[[1, 2], [2, 3], [3, 4]], weights=[1.0] * 3)], "cross_entropy"
        ),
        ValueError,
        r"'weights'\] has shape \(?\[?3,?\)?\]?; it must be that of target_tokens",
    ),
    "a weight on the target that is not there": (
        lambda t: t.forward_backward([datum(weights=[1.0, 1.0, 0.5])], "cross_entropy"),
        ValueError,
        r"'weights'\]\[-1\] is 0.5; without target_tokens the last position",
    ),
    "a threshold that is NaN": (
        lambda t: t.forward_backward(
            [
                datum(
                    target_tokens=[1, 2, 3],
                    logprobs=[0.0] * 3,
                    advantages=[0.0] * 3,
                    clip_low_threshold=[0.8, float("nan"), float("-inf")],
                )
            ],
            "ppo",
        ),
        ValueError,
        r"'clip_low_threshold'\]\.data\[1\] is nan; it must be a number; inf or -inf for no limit",
    ),
    "an input of another loss": (
        lambda t: t.forward_backward(
            [datum(target_tokens=[1, 2, 3], wieghts=np.ones(3, np.float32))], "cross_entropy"
        ),
        ValueError,
        "'wieghts'; cross_entropy takes these inputs: .* Did you mean 'weights'",
    ),
    "parameters twice": (
        lambda t: t.optim_step(tinker.AdamParams(), adam_params=tinker.AdamParams()),
        ValueError,
        "optim_step takes optim_params or adam_params, not both",
    ),
    "a custom loss of something else": (
        lambda t: t.forward_backward_custom([datum()], print, loss_type_input="logits"),  # type: ignore[arg-type]
        ValueError,
        "loss_type_input is 'logits'; it must be 'logprobs'",
    ),
    "a name that is no string": (
        lambda t: t.save_state(7),  # type: ignore[arg-type]
        TypeError,
        "name is a int; it must be a string",
    ),
    "a path that is no string": (
        lambda t: t.load_state(7),  # type: ignore[arg-type]
        TypeError,
        "path is a int; it must be a string",
    ),
    "recipients that are none": (
        lambda t: t.save_weights_external("a", age_encryption_recipients=["ssh-rsa x"]),
        ValueError,
        "age_encryption_recipients has 1 entries; it must have at most 10, each beginning with 'age1'",
    ),
    "a text of recipients": (
        lambda t: t.save_weights_external("a", age_encryption_recipients="age1x"),  # type: ignore[arg-type]
        TypeError,
        "age_encryption_recipients is a str; it must be a list",
    ),
    "a recipient that is no string": (
        lambda t: t.save_weights_external("a", age_encryption_recipients=[7]),  # type: ignore[list-item]
        ValueError,
        "age_encryption_recipients has 1 entries; it must have at most 10, each beginning with 'age1'",
    ),
    "negative learning rate": (
        lambda t: t.optim_step(tinker.AdamParams(learning_rate=-1e-4)),
        ValueError,
        r"AdamParams.learning_rate is -0.0001; it must be a number at least 0",
    ),
    "name with a slash": (
        lambda t: t.save_state("../x"),
        ValueError,
        "name is '../x'; a checkpoint's name has",
    ),
    "not a tinker path": (
        lambda t: t.load_state("weights/x"),
        ValueError,
        "path is 'weights/x'; it must be a tinker path",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_before_anything_is_sent(case: str, training: tinker.TrainingClient) -> None:
    call, error, text = REFUSED[case]
    with pytest.raises(error, match=text) as refused:
        call(training)
    assert "\n" not in str(refused.value)
    # Nothing was sent: the next operation is the run's first.
    future = training.optim_step()
    future.result(timeout=60)
    assert present(future.progress).seq_ids == [1]


PARAMS = tinker.SamplingParams(max_tokens=1)
SAMPLES: dict[str, tuple[Callable[[tinker.SamplingClient], object], type[Exception], str]] = {
    "a prompt of ids": (
        lambda s: s.sample([1, 2], 1, PARAMS),  # type: ignore[arg-type]
        TypeError,
        "prompt is a list; it must be a ModelInput",
    ),
    "parameters in a dict": (
        lambda s: s.sample(GOOD, 1, {"max_tokens": 1}),  # type: ignore[arg-type]
        TypeError,
        "sampling_params is a dict; it must be SamplingParams",
    ),
    "no samples": (
        lambda s: s.sample(GOOD, 0, PARAMS),
        ValueError,
        "num_samples is 0; it must be an integer from 1",
    ),
    "an empty prompt": (
        lambda s: s.sample(tinker.ModelInput.empty(), 1, PARAMS),
        ValueError,
        "prompt is empty; it needs at least one token",
    ),
    "temperature": (
        lambda s: s.sample(GOOD, 1, tinker.SamplingParams(max_tokens=1, temperature=-1.0)),
        ValueError,
        r"SamplingParams.temperature is -1.0; it must be .*at least 0",
    ),
    "top_p": (
        lambda s: s.sample(GOOD, 1, tinker.SamplingParams(max_tokens=1, top_p=0.0)),
        ValueError,
        r"SamplingParams.top_p is 0.0; it must be .*greater than 0 and at most 1",
    ),
    "top_k": (
        lambda s: s.sample(GOOD, 1, tinker.SamplingParams(max_tokens=1, top_k=-2)),
        ValueError,
        r"SamplingParams.top_k is -2; it must be at least 1, or -1 or 0 \(off\)",
    ),
    "max_tokens": (
        lambda s: s.sample(GOOD, 1, tinker.SamplingParams(max_tokens=0)),
        ValueError,
        "SamplingParams.max_tokens is 0; it must be an integer from 1",
    ),
    "seed": (
        lambda s: s.sample(GOOD, 1, tinker.SamplingParams(max_tokens=1, seed=0.5)),  # type: ignore[arg-type]
        ValueError,
        "SamplingParams.seed is 0.5; it must be an integer",
    ),
    "stop of both kinds": (
        lambda s: s.sample(GOOD, 1, tinker.SamplingParams(max_tokens=1, stop=["a", 1])),  # type: ignore[arg-type]
        ValueError,
        r"SamplingParams.stop is \['a', 1\]; it must be a string, a list of strings, or a list of token ids",
    ),
    "stop in bytes": (
        lambda s: s.sample(GOOD, 1, tinker.SamplingParams(max_tokens=1, stop=b"a")),  # type: ignore[arg-type]
        ValueError,
        "SamplingParams.stop is b'a'",
    ),
    "last n without logprobs": (
        lambda s: s.sample(GOOD, 1, PARAMS, prompt_logprobs_last_n=1),
        ValueError,
        "prompt_logprobs_last_n needs include_prompt_logprobs=True",
    ),
    "last n of a shorter prompt": (
        lambda s: s.compute_logprobs(GOOD, 3),
        ValueError,
        "prompt_logprobs_last_n is 3; of this prompt's 3 tokens, at most 2 can be scored",
    ),
    "targets in a list": (
        lambda s: s.sample(GOOD, 1, PARAMS, target_prompt_logprobs=[[1], [2]]),  # type: ignore[arg-type]
        TypeError,
        "target_prompt_logprobs is a list; it must be TensorData",
    ),
    "targets that are floats": (
        lambda s: s.sample(GOOD, 1, PARAMS, target_prompt_logprobs=targets([[1.0], [2.0]])),
        ValueError,
        "target_prompt_logprobs has dtype float32; it must be int64: token ids",
    ),
    "targets for another prompt": (
        lambda s: s.sample(GOOD, 1, PARAMS, target_prompt_logprobs=targets([[1]])),
        ValueError,
        r"target_prompt_logprobs has shape .*1, 1.; it must be \[2, K\], a row for each position",
    ),
    "targets in one row, for a prompt of unknown length": (
        lambda s: s.sample(GOOD.append(IMAGE), 1, PARAMS, target_prompt_logprobs=targets([1])),
        ValueError,
        r"it must be \[len\(prompt\) - 1, K\]",
    ),
    "no targets": (
        lambda s: s.sample(GOOD, 1, PARAMS, target_prompt_logprobs=targets([[-1], [-1]])),
        ValueError,
        "target_prompt_logprobs has no token ids; at least one must not be -1",
    ),
    "targets below -1": (
        lambda s: s.sample(GOOD, 1, PARAMS, target_prompt_logprobs=targets([[-2], [1]])),
        ValueError,
        "target_prompt_logprobs contains -2; it must be token ids, or -1 for no token",
    ),
    "a negative number of alternatives": (
        lambda s: s.sample(GOOD, 1, PARAMS, topk_sample_logprobs=-1),
        ValueError,
        "topk_sample_logprobs is -1; it must be an integer from 0",
    ),
}


def targets(rows: object) -> tinker.TensorData:
    array = np.array(rows)
    return tinker.TensorData.from_numpy(
        array.astype(np.int64 if array.dtype.kind == "i" else np.float32)
    )


@pytest.fixture(scope="module")
def samplers() -> Iterator[tuple[tinker.SamplingClient, list[object]]]:
    """A client, and what it has sent since it was created."""
    with LocalServer() as running, tinker.ServiceClient(base_url=running.url) as service:
        sampler = service.create_sampling_client(base_model="tinker-local/tiny").result(timeout=60)
        seen: list[object] = []
        service.observe(lambda event: seen.append(event) if isinstance(event, Request) else None)
        yield sampler, seen


@pytest.mark.parametrize("case", SAMPLES)
def test_samples_that_no_server_accepts_are_refused_before_anything_is_sent(
    case: str, samplers: tuple[tinker.SamplingClient, list[object]]
) -> None:
    (sampler, seen), (call, error, text) = samplers, SAMPLES[case]
    with pytest.raises(error, match=text) as refused:
        call(sampler)
    assert "\n" not in str(refused.value)
    assert not seen


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (
            lambda s: s.create_lora_training_client(""),
            "base_model is ''; it must be the name of a model",
        ),
        (
            lambda s: s.create_lora_training_client(
                "tinker-local/tiny", train_mlp=False, train_attn=False, train_unembed=False
            ),
            "train_mlp, train_attn and train_unembed are all False: nothing would be trained",
        ),
        (
            lambda s: RetryConfig(max_connections=0),
            "max_connections is 0; it must be 1 or more, or None",
        ),
        (
            lambda s: s.reattach_training_client("tinker://a:train:0/weights/b"),
            "is 'tinker://a:train:0/weights/b', the path of a checkpoint; its training run is 'a:train:0'",
        ),
    ],
)
def test_clients_that_cannot_be(
    service: tinker.ServiceClient, call: Callable[[tinker.ServiceClient], object], text: str
) -> None:
    with pytest.raises(ValueError, match=text):
        call(service)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda t: t.ServiceClient(base_url="local", retry=RetryConfig()), "must be a RetryPolicy"),
        (lambda t: t.results([1]), r"futures\[0\] is 1; it must be an APIFuture"),
        (lambda t: t.results([], timeout="1"), "timeout is '1'; it must be a number of seconds"),
    ],
)
def test_arguments_of_another_type(call: Callable[[Any], object], text: str) -> None:
    with pytest.raises(TypeError, match=text):
        call(tinker)


def test_ragged_arrays_are_refused() -> None:
    with pytest.raises(ValueError, match=r"must be a rectangle of numbers"):
        datum(target_tokens=[[1, 2], [3]])


@pytest.mark.parametrize("rank", [0, -1, 1.5, True])
def test_impossible_rank(service: tinker.ServiceClient, rank: int) -> None:
    with pytest.raises(ValueError, match=f"rank is {rank!r}; it must be an integer from 1"):
        service.create_lora_training_client("tinker-local/tiny", rank=rank)


def test_unknown_base_model_names_those_on_offer(service: tinker.ServiceClient) -> None:
    future = service.create_lora_training_client("Qwen/Qwen3-8B")
    with pytest.raises(
        tinker.BadRequestError, match=r"Qwen/Qwen3-8B.*available: tinker-local/tiny$"
    ):
        future.result(timeout=60)


def test_model_path_that_does_not_exist(service: tinker.ServiceClient) -> None:
    path = "tinker://nobody:train:0/sampler_weights/none"
    with pytest.raises(tinker.NotFoundError, match=r"create_sampling_session.*404.*none"):
        service.create_sampling_client(model_path=path).result(timeout=60)


def test_a_missing_key_for_a_server_elsewhere_is_known_at_once() -> None:
    with pytest.raises(tinker.TinkerError, match="No API key for https://.*set TINKER_API_KEY"):
        tinker.ServiceClient()


@pytest.mark.parametrize("key", ["sk-123", "tml-a\nb", "secret"])
def test_a_key_that_cannot_be_one_is_not_repeated_in_the_error(key: str) -> None:
    with pytest.raises(ValueError, match="api_key must begin with 'tml-'") as refused:
        tinker.ServiceClient(base_url="http://127.0.0.1:1", api_key=key)
    assert key not in str(refused.value)


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://x", "http://", "http://u:p@127.0.0.1"])
def test_an_address_that_cannot_be_one(url: str) -> None:
    with pytest.raises(ValueError, match="base_url"):
        tinker.ServiceClient(base_url=url, api_key="tml-x")


def test_server_down_is_one_line_with_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses.give_up_at_once(monkeypatch)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    service = tinker.ServiceClient(base_url=f"http://127.0.0.1:{port}")
    with pytest.raises(tinker.APIConnectionError, match=rf"cannot connect to .*:{port}.*running"):
        service.create_lora_training_client("tinker-local/tiny").result(timeout=60)
    service.close().result(timeout=10)


class _WebPage(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = b"<html><body>It works!</body></html>"
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def web_page() -> Iterator[str]:
    page = HTTPServer(("127.0.0.1", 0), _WebPage)
    thread = threading.Thread(target=page.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{page.server_port}"
    page.shutdown()
    thread.join()
    page.server_close()


def test_a_server_that_speaks_something_else(web_page: str) -> None:
    service = tinker.ServiceClient(base_url=web_page, retry=tinker.RetryPolicy(budget=0))
    with pytest.raises(
        tinker.APIResponseValidationError,
        match="text/html.*is not a Tinker server. Check TINKER_BASE_URL",
    ):
        service.create_lora_training_client("tinker-local/tiny").result(timeout=60)
    service.close().result(timeout=10)


@pytest.mark.parametrize(
    ("metadata", "text"),
    [
        ({"a": 1}, r"user_metadata\['a'\] is 1; it must be a string"),
        ({1: "a"}, "user_metadata has the name 1; names must be strings"),
        ([("a", "b")], "user_metadata is of type list; it must be a dict of strings"),
    ],
)
def test_metadata_is_reported_by_field(
    service: tinker.ServiceClient, training: tinker.TrainingClient, metadata: object, text: str
) -> None:
    calls: list[Callable[[], object]] = [
        lambda: tinker.ServiceClient(base_url="http://127.0.0.1:1", user_metadata=metadata),  # type: ignore[arg-type]
        lambda: service.create_lora_training_client("m", user_metadata=metadata),  # type: ignore[arg-type]
        lambda: service.create_training_client_from_state(
            "tinker://a/weights/b",
            user_metadata=metadata,  # type: ignore[arg-type]
        ),
        lambda: training.save_state("a", user_metadata=metadata),  # type: ignore[arg-type]
        lambda: training.save_weights_for_sampler("a", user_metadata=metadata),  # type: ignore[arg-type]
    ]
    for call in calls:
        with pytest.raises(TypeError, match=text):
            call()


def test_a_rank_that_is_too_high_is_reported_by_field(service: tinker.ServiceClient) -> None:
    future = service.create_lora_training_client("tinker-local/tiny", rank=5000)
    with pytest.raises(tinker.UnprocessableEntityError, match=r"lora_config\.rank: 5000 .*1024"):
        future.result(timeout=60)
