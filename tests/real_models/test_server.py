"""The server with a model from a folder, over a socket: the client's work, kill -9 at any moment, and bad input."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

import tinker
from tests.support import pauses
from tests.support.outcomes import checkpoint_files, plain
from tests.support.server_process import ServerProcess
from tests.support.small_models import make_folder
from tinker.recipes.base_model import served_name
from tinker_local import LocalServer, embedded
from tinker_local.__main__ import main

STEPS = 3


@pytest.fixture(scope="module")
def qwen(engine: Any) -> Iterator[str]:
    with LocalServer(engine=engine) as server:
        yield server.url


def datum(number: int) -> tinker.Datum:
    tokens = (np.arange(30) * (number + 3) % 370 + 3).tolist()
    return tinker.Datum(model_input=tinker.ModelInput.from_ints(tokens))


def train(url: str, at: Callable[[int, list[Any]], None] = lambda number, futures: None) -> Any:
    """A training program, all of it submitted before anything is waited for; `at` is called on the way."""
    with tinker.ServiceClient(base_url=url) as service:
        training = service.create_lora_training_client("qwen3", rank=4, seed=7).result(timeout=60)
        futures: list[Any] = []
        for step in range(STEPS):
            futures += [
                training.forward_backward([datum(8 * step + n) for n in range(8)], "cross_entropy"),
                training.optim_step(tinker.AdamParams(learning_rate=5e-3)),
                training.save_state("latest", overwrite=True),
            ]
        for number in range(len(futures)):
            at(number, futures)
        results = [plain(future.result(timeout=100)) for future in futures]
        sampler = training.save_weights_and_get_sampling_client().result(timeout=60)
        params = tinker.SamplingParams(max_tokens=8, seed=3)
        prompt = tinker.ModelInput.from_ints([5, 6, 7])
        samples = [sampler.sample(prompt, 2, params).result(timeout=60) for _ in range(2)]
        assert plain(samples[0])[0][0] == plain(samples[1])[0][0]
        return results


@pytest.mark.long
@pytest.mark.timeout(400)  # the server, a process of its own, imports transformers each time
def test_a_client_rides_through_kill_9(
    tmp_path: Path, engine: Any, folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is lost and nothing is done twice: the state after it is that of an undisturbed server."""
    pauses.shorten(monkeypatch)
    models = ("--model", str(folders["qwen3"]), "--model", f"other={folders['llama']}")
    with LocalServer(tmp_path / "undisturbed", engine=engine) as server:
        expected = train(server.url)

    servers = [ServerProcess(tmp_path / "killed", *models)]

    def kill(number: int, futures: list[tinker.APIFuture[Any]]) -> None:
        if number in (0, 4):
            futures[number].result(timeout=60)
            servers[-1].kill()
            servers.append(ServerProcess(tmp_path / "killed", *models, port=servers[0].port))

    try:
        got = train(servers[0].url, kill)
    finally:
        servers[-1].kill()
    assert len(servers) == 3
    for summary in ("qwen3: qwen3, ", "other: llama, "):
        assert servers[-1].log.read_text().count(summary) == 3
    for mine, theirs in zip(got, expected, strict=True):
        if isinstance(theirs, dict):
            assert mine == pytest.approx(theirs, rel=1e-4)
    ours, others = checkpoint_files(tmp_path / "killed"), checkpoint_files(tmp_path / "undisturbed")
    assert ours.keys() == others.keys()
    for name, (header, tensors) in ours.items():
        assert header == others[name][0]
        for key, tensor in tensors.items():
            np.testing.assert_allclose(tensor, others[name][1][key], atol=1e-5)


def test_the_client_has_the_folders_tokenizer_and_template(qwen: str) -> None:
    with tinker.ServiceClient(base_url=qwen) as service:
        training = service.create_lora_training_client("qwen3", rank=2).result(timeout=60)
        tokenizer = training.get_tokenizer()
        chat = [{"role": "user", "content": "Hello"}]
        text = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
        assert text == "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n"
        assert tokenizer.decode(tokenizer.encode(text)) == text
        models = service.get_server_capabilities().supported_models
        assert {model.model_name for model in models} == {"qwen3", "llama", "gemma2"}


def test_samples_of_many_at_once_are_those_of_each_alone(qwen: str) -> None:
    with tinker.ServiceClient(base_url=qwen) as service:
        sampler = service.create_sampling_client(base_model="qwen3").result(timeout=60)
        prompts = [tinker.ModelInput.from_ints(list(range(3, 5 + n))) for n in range(12)]

        def sample(number: int) -> Any:
            params = tinker.SamplingParams(max_tokens=10, seed=number)
            return sampler.sample(prompts[number], 1, params)

        together = [future.result(timeout=60) for future in [sample(n) for n in range(12)]]
        for number, result in enumerate(together):
            alone = sample(number).result(timeout=60)
            assert result.sequences[0].tokens == alone.sequences[0].tokens


def test_custom_losses_are_the_clients(qwen: str) -> None:
    """A loss that is computed by the client from log-probabilities that the server returns."""
    torch = pytest.importorskip("torch")
    with tinker.ServiceClient(base_url=qwen) as service:
        training = service.create_lora_training_client("qwen3", rank=2).result(timeout=60)
        data = [datum(n) for n in range(3)]
        usual = training.forward_backward(data, "cross_entropy").result(timeout=60)

        def loss(data: Any, logprobs: list[Any]) -> Any:
            total = -sum(one[:-1].sum() for one in logprobs)
            return total, {"loss": float(torch.as_tensor(total).detach())}

        tokens = [np.array(one.model_input.to_ints()) for one in data]
        targets = [
            tinker.Datum(
                model_input=one.model_input,
                loss_fn_inputs={"target_tokens": np.append(t[1:], 0)},
            )
            for one, t in zip(data, tokens, strict=True)
        ]
        custom = training.forward_backward_custom(targets, loss).result(timeout=60)
        assert custom.metrics["loss"] == pytest.approx(usual.metrics["loss:sum"], rel=1e-4)


def test_a_traced_loss_runs_on_the_server(qwen: str) -> None:
    """It trains as the built-in loss of the same formula does."""
    import torch

    def reinforce(logprobs: Any, old: Any, advantages: Any) -> Any:
        ratio = torch.exp(logprobs - old)
        return -(ratio * advantages).sum(), {"custom/ratio:mean": ratio.mean()}

    tokens = (np.arange(31) * 5 % 370 + 3).tolist()
    prompt = tinker.ModelInput.from_ints(tokens[:-1])
    given: dict[str, Any] = {"target_tokens": tokens[1:], "advantages": np.linspace(-1, 1, 30)}
    old = np.full(30, -6.0, np.float32)
    with tinker.ServiceClient(base_url=qwen) as service:
        ranks = {"logprobs": 1, "old": 1, "advantages": 1}
        loss = service.create_custom_loss(reinforce, ranks).result(timeout=60)
        norms = []
        for traced in (True, False):
            run = service.create_lora_training_client("qwen3", rank=2, seed=3).result(timeout=60)
            if traced:
                run.forward_backward_custom([tinker.Datum(prompt, {**given, "old": old})], loss)
            else:
                built_in = tinker.Datum(prompt, {**given, "logprobs": old})
                run.forward_backward([built_in], "importance_sampling")
            metrics = run.optim_step(tinker.AdamParams()).result(timeout=60).metrics
            assert metrics is not None
            norms.append(metrics["unclipped_grad_l2:mean"])
        assert norms[0] > 0
        assert norms[0] == pytest.approx(norms[1], rel=1e-5)


def test_health_checks_are_answered_while_the_engine_is_busy(qwen: str) -> None:
    """Many are answered before one long operation ends."""
    with tinker.ServiceClient(base_url=qwen) as service, httpx.Client(base_url=qwen) as http:
        sampler = service.create_sampling_client(base_model="qwen3").result(timeout=60)
        params = tinker.SamplingParams(max_tokens=200, seed=1, stop=[])
        future = sampler.sample(tinker.ModelInput.from_ints([5]), 16, params)
        waiting = future.future()
        answered = 0
        while not waiting.done():
            assert http.get("/api/v1/healthz").status_code == 200
            answered += 1
        assert len(waiting.result().sequences) == 16
        assert answered >= 5


def test_folders_that_cannot_be_offered(
    tmp_path: Path, folders: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """The command says why in one line, and fails."""
    empty = tmp_path / "empty"
    empty.mkdir()
    moe = make_folder(tmp_path / "moe", "qwen3_moe", num_experts=4, moe_intermediate_size=16)
    bert = shutil.copytree(folders["qwen3"], tmp_path / "bert")
    (bert / "config.json").write_text(json.dumps({"model_type": "clip"}))
    weightless = shutil.copytree(folders["qwen3"], tmp_path / "weightless")
    (weightless / "model.safetensors").unlink()
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF is not what follows")
    cases = [
        ([str(tmp_path / "none")], "no such file or folder"),
        ([str(empty)], "does not contain a model: it has no config.json"),
        ([str(weightless)], "has no weights"),
        ([str(bert)], "is a clip model, not a causal language model"),
        ([str(moe)], "it is a mixture of experts"),
        ([str(broken)], "cannot read this GGUF file"),
        ([f"a={folders['qwen3']}", "--model", f"a={folders['llama']}"], "two models are called a"),
        ([str(folders["qwen3"]), "--device", "cuda:99"], "the device 'cuda:99' cannot be used"),
    ]
    capsys.readouterr()  # the progress of writing the folders
    for arguments, reason in cases:
        assert main(["--model", *arguments]) == 1
        out, error = capsys.readouterr()
        (line,) = error.splitlines()
        assert not out
        assert line.startswith("tinker_local: ")
        assert reason in line


def test_equal_gguf_files_are_converted_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every environment has its own copy of a file that a package carries."""
    from tinker_local.engine.hf import gguf

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(gguf, "_convert", lambda file, target: (target / "config.json").touch())
    one, other = (tmp_path / name / "small.gguf" for name in ("one", "other"))
    for file in (one, other):
        file.parent.mkdir()
        file.write_bytes(b"GGUF and weights")
    os.utime(other, (1, 1))
    first = gguf.converted(one)
    assert first.parent == tmp_path / "cache/tinker-local/gguf"
    assert gguf.converted(other) == first
    other.write_bytes(b"GGUF and Weights")
    assert gguf.converted(other) != first


def test_too_little_memory_is_reported_before_loading(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    import transformers

    from tinker_local.engine.hf import memory
    from tinker_local.engine.hf.engine import HfEngine
    from tinker_local.engine.hf.folder import ModelError

    def load(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("weights were read")

    monkeypatch.setattr(memory, "available", lambda device: 100_000)
    monkeypatch.setattr(transformers.AutoModelForCausalLM, "from_pretrained", load)
    with pytest.raises(ModelError, match=r"float32 take 0\.00 GB, and cpu has 0\.00 GB free"):
        HfEngine([(None, folders["qwen3"])], device="cpu")


def test_free_memory_is_that_of_the_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files that were read and can be dropped do not count as used."""
    import torch

    from tinker_local.engine.hf import memory

    cpu = torch.device("cpu")
    monkeypatch.setattr(memory, "_CONTAINER", tmp_path)
    whole = memory.available(cpu)
    (tmp_path / "memory.max").write_text("1000000\n")
    (tmp_path / "memory.current").write_text("700000\n")
    (tmp_path / "memory.stat").write_text("anon 500000\ninactive_file 200000\nactive_file 7\n")
    assert memory.available(cpu) == 500_000
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.available(cpu) == pytest.approx(whole, rel=0.5)


def test_without_a_tokenizer_or_template_tokens_still_work(
    tmp_path: Path, folders: dict[str, Path]
) -> None:
    """Chat is rejected with the reason, which names what the user of the server knows, not its files."""
    from tinker_local.engine.hf.engine import HfEngine

    bare, plain_text = (
        shutil.copytree(folders["qwen3"], tmp_path / name) for name in ("bare", "plain")
    )
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (bare / name).unlink()
    (plain_text / "tokenizer_config.json").write_text("{}")
    engine = HfEngine([(None, bare), (None, plain_text)], device="cpu")
    with (
        LocalServer(engine=engine) as server,
        tinker.ServiceClient(base_url=server.url) as service,
        httpx.Client(base_url=server.url, headers={"Authorization": "Bearer tml-local"}) as http,
    ):
        params = tinker.SamplingParams(max_tokens=4, seed=1, stop=[])
        prompt = tinker.ModelInput.from_ints([5, 6])
        for model in ("bare", "plain"):
            sampler = service.create_sampling_client(base_model=model).result(timeout=60)
            sampled = sampler.sample(prompt, 1, params).result(timeout=60)
            assert len(sampled.sequences[0].tokens) == 4
        sampler = service.create_sampling_client(base_model="bare").result(timeout=60)
        with pytest.raises(tinker.TinkerError, match="No tokenizer in"):
            sampler.get_tokenizer()
        with pytest.raises(tinker.TinkerError, match="stop token ids"):
            stops = tinker.SamplingParams(max_tokens=4, stop=["a"])
            sampler.sample(prompt, 1, stops).result(timeout=60)

        for model, reason in {
            "bare": "bare takes token ids only, by the sampling API: No tokenizer in bare",
            "plain": "plain has no chat template, so it cannot chat: send the whole prompt as text",
        }.items():
            for route in ("/oai/api/v1/chat/completions", "/anthropic/api/v1/messages"):
                messages = [{"role": "user", "content": "Hello"}]
                body = {"model": model, "max_tokens": 4, "messages": messages}
                response = http.post(route, json=body)
                assert response.status_code == 400
                assert reason in response.json()["error"]["message"]
                assert str(tmp_path) not in response.text
        body = {"model": "plain", "max_tokens": 4, "prompt": "Hello"}
        assert http.post("/oai/api/v1/completions", json=body).status_code == 200


def test_local_models_are_named_in_the_environment(
    tmp_path: Path, folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the names given, or those of their folders; a link has its own."""
    link = tmp_path / "linked"
    link.symlink_to(folders["llama"])
    monkeypatch.setattr(embedded, "_server", None)
    monkeypatch.setenv("TINKER_BASE_URL", "local")
    models = f"{folders['qwen3']}, small={folders['llama']}, {link}"
    monkeypatch.setenv("TINKER_LOCAL_MODELS", models)
    with tinker.ServiceClient() as service:
        offered = service.get_server_capabilities().supported_models
        assert [model.model_name for model in offered] == ["qwen3", "small", "linked"]
    assert served_name(str(link), ()) == "linked"
    embedded._close()


def test_a_failed_step_leaves_the_run_as_it_was(qwen: str) -> None:
    with tinker.ServiceClient(base_url=qwen) as service:
        training = service.create_lora_training_client("qwen3", rank=2, seed=1).result(timeout=60)
        training.forward_backward([datum(1)], "cross_entropy").result(timeout=60)
        with pytest.raises(tinker.TinkerError, match="nothing was changed"):
            training.optim_step(tinker.AdamParams(learning_rate=3e38)).result(timeout=60)
        before = training.forward([datum(1)], "cross_entropy").result(timeout=60)
        training.optim_step(tinker.AdamParams(learning_rate=1e-2)).result(timeout=60)
        after = training.forward([datum(1)], "cross_entropy").result(timeout=60)
        assert after.metrics["loss:sum"] < before.metrics["loss:sum"]
