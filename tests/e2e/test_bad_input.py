"""Bad input: one clear line, the right exception, and nothing sent that need not be."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest

import tinker
from tests.support.present import present

GOOD = tinker.ModelInput.from_ints([1, 2, 3])


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


def test_server_down_is_one_line_with_the_address() -> None:
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
    thread = threading.Thread(target=page.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{page.server_port}"
    page.shutdown()
    thread.join()
    page.server_close()


def test_a_server_that_speaks_something_else(web_page: str) -> None:
    service = tinker.ServiceClient(base_url=web_page)
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
