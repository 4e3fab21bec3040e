"""Programs that speak OpenAI's and Anthropic's APIs, and that nobody here wrote: litellm and lm-evaluation-harness."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tinker
from tests.interop import byte_tokenizer
from tests.interop.installed import HERE, environment
from tinker_local import LocalServer

pytestmark = [pytest.mark.interop, pytest.mark.timeout(900)]

KEY, MODEL = "tml-anna", "tinker-local/tiny"
# The harness brings no tokenizers itself. Releases of litellm are chosen with care: some were malicious.
LITELLM = "1.110.2"
INSTALLS = [[f"litellm=={LITELLM}"], ["lm-eval[api]==0.4.13", "transformers"]]
QUESTIONS = [
    {"question": f"What is {n} + 1?", "choices": [f" {n + 1}", f" {n + 2}", " Zürich"]}
    for n in range(4)
]
CHOICE = """
task: choice
dataset_path: json
dataset_kwargs: {data_files: {test: DATA}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{question}}"
doc_to_choice: "{{choices}}"
doc_to_target: 0
target_delimiter: ""
metric_list: [{metric: acc}]
"""
SPOKEN = """
task: spoken
dataset_path: json
dataset_kwargs: {data_files: {test: DATA}}
test_split: test
output_type: generate_until
doc_to_text: "{{question}}"
doc_to_target: "{{choices[0]}}"
generation_kwargs: {until: ["never"], max_gen_toks: 12, temperature: 0.0, do_sample: false}
metric_list: [{metric: exact_match}]
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    keys = tmp_path_factory.mktemp("keys") / "keys"
    keys.write_text(f"{KEY} anna\n")
    with LocalServer(keys=keys) as running:
        yield running.url


@pytest.fixture(scope="module")
def sampler(server: str) -> Iterator[tinker.SamplingClient]:
    with tinker.ServiceClient(base_url=server, api_key=KEY) as service:
        yield service.create_sampling_client(base_model=MODEL).result()


def program(name: str) -> Path:
    return environment(f"evaluators-{LITELLM}", INSTALLS) / "bin" / name


def greedy(sampler: tinker.SamplingClient, prompt: list[int], max_tokens: int = 12) -> str:
    """What the model says, by this client."""
    params = tinker.SamplingParams(max_tokens=max_tokens, temperature=0.0)
    response = sampler.sample(tinker.ModelInput.from_ints(prompt), 1, params).result()
    said = [token for token in response.sequences[0].tokens if token < 256]
    return bytes(said).decode("utf-8", "replace")


def greeted(sampler: tinker.SamplingClient, text: str) -> str:
    messages = [{"role": "user", "content": text}]
    prompt = sampler.get_tokenizer().apply_chat_template(messages, add_generation_prompt=True)
    return greedy(sampler, list(prompt))


def test_litellm_through_both_apis(server: str, sampler: tinker.SamplingClient) -> None:
    done = subprocess.run(
        [program("python"), "-E", HERE / "evaluators_session.py", server, KEY, MODEL],
        env={"PATH": os.environ["PATH"], "HOME": str(HERE), "LITELLM_LOCAL_MODEL_COST_MAP": "true"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    report = json.loads(done.stdout.splitlines()[-1])
    said = greeted(sampler, "Say hello.")
    for api in ("openai", "anthropic"):
        found = report[api]
        assert found["whole"] == found["streamed"] == found["async"] == said, api
        assert found["finish_reason"] in ("length", "stop")
        assert found["usage"][0] > len("Say hello.")
        assert 0 < found["usage"][1] <= 12
        assert found["wrong key"][0] == "AuthenticationError", found["wrong key"]
        assert found["unknown model"][0] in ("NotFoundError", "BadRequestError")
        assert "nobody/nothing" in found["unknown model"][1]
    assert report["openai"]["not offered"][0] == "BadRequestError"
    assert "logit_bias" in report["openai"]["not offered"][1]
    assert report["anthropic"]["not offered"][0] == "BadRequestError"
    continued = greedy(sampler, list(b"hello"))
    assert report["completions"] == {"whole": continued, "streamed": continued}


def evaluated(server: str, folder: Path, task: str, *arguments: str) -> list[dict[str, Any]]:
    """Each sample of a task, as lm-evaluation-harness saw it."""
    byte_tokenizer.write(folder / "tokenizer")
    data = folder / "data.jsonl"
    data.write_text("".join(json.dumps(one) + "\n" for one in QUESTIONS))
    tasks = folder / "tasks"
    tasks.mkdir()
    name = task.split()[1]
    (tasks / f"{name}.yaml").write_text(task.replace("DATA", str(data)))
    command: list[str | Path] = [program("lm_eval"), "--tasks", name, "--include_path", tasks]
    command += ["--log_samples", "--output_path", folder / "results", *arguments]
    done = subprocess.run(
        command,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "OPENAI_API_KEY": KEY,
            "HF_HUB_OFFLINE": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    (samples,) = (folder / "results").rglob("samples_*.jsonl")
    return [json.loads(line) for line in samples.read_text().splitlines()]


def test_the_harness_scores_choices_by_completions(
    server: str, sampler: tinker.SamplingClient, tmp_path: Path
) -> None:
    arguments = (
        f"model={MODEL},base_url={server}/oai/api/v1/completions,tokenizer={tmp_path}/tokenizer,"
        "tokenizer_backend=huggingface,max_length=200,num_concurrent=2,max_retries=1"
    )
    samples = evaluated(
        server, tmp_path, CHOICE, "--model", "local-completions", "--model_args", arguments
    )
    assert len(samples) == len(QUESTIONS)
    for sample in samples:
        doc = sample["doc"]
        for choice, ((scored, _),) in zip(doc["choices"], sample["resps"], strict=True):
            tokens = list((doc["question"] + choice).encode())
            logprobs = sampler.compute_logprobs(tinker.ModelInput.from_ints(tokens)).result()
            own = [one for one in logprobs[len(doc["question"].encode()) :] if one is not None]
            assert float(scored) == pytest.approx(sum(own), rel=1e-4)


def test_the_harness_generates_by_chat(
    server: str, sampler: tinker.SamplingClient, tmp_path: Path
) -> None:
    arguments = f"model={MODEL},base_url={server}/oai/api/v1/chat/completions,num_concurrent=2,max_retries=1"
    samples = evaluated(
        server,
        tmp_path,
        SPOKEN,
        *("--model", "local-chat-completions", "--model_args", arguments, "--apply_chat_template"),
    )
    assert len(samples) == len(QUESTIONS)
    for sample in samples:
        assert sample["resps"] == [[greeted(sampler, sample["doc"]["question"])]]
