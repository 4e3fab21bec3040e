"""`Training` from Python: what it refuses before anything is trained, and what evaluation scores."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

import tinker
from tinker.recipes import RecipeError, RunFolder, Training, TrainSettings, evaluate, recognize
from tinker.recipes.rows import Row, Rows

MODEL = "tinker-local/tiny"
PAIR = {"prompt": "1+1=", "chosen": "2", "rejected": "3"}


@pytest.fixture
def checkpoint(service: tinker.ServiceClient) -> str:
    client = service.create_lora_training_client(MODEL, rank=4).result()
    return client.save_state("start").result().path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "sums.jsonl"
    rows = [{"prompt": f"{n} plus 1 is ", "completion": f"{n + 1}."} for n in range(24)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def make(service: tinker.ServiceClient, data: Path, **settings: Any) -> Training:
    return Training(
        service, TrainSettings(data=str(data), log_path=str(data.parent / "run"), **settings)
    )


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"model_name": "nobody/none"}, "does not offer 'nobody/none'; it offers .*tinker-local"),
        ({"eval_fraction": 1.0}, "eval_fraction 1 leaves no row to train on"),
        ({"max_cost": 1.0}, "the table of .* has none for tinker-local/tiny; use max_tokens"),
    ],
)
def test_settings_that_fit_neither_the_server_nor_the_data(
    service: tinker.ServiceClient, data: Path, settings: dict[str, Any], words: str
) -> None:
    with pytest.raises(RecipeError, match=words):
        make(service, data, **({"model_name": MODEL} | settings))
    assert not (data.parent / "run").exists()


def test_pairs_and_rows_are_not_held_out_for_each_other(
    service: tinker.ServiceClient, data: Path
) -> None:
    pairs = data.with_name("pairs.jsonl")
    pairs.write_text(json.dumps(PAIR) + "\n")
    with pytest.raises(RecipeError, match="must both hold preference pairs, or neither"):
        make(service, data, model_name=MODEL, eval_data=str(pairs))


def test_a_checkpoint_names_its_model(
    service: tinker.ServiceClient, data: Path, checkpoint: str
) -> None:
    assert make(service, data, load_checkpoint_path=checkpoint).base_model == MODEL
    with pytest.raises(RecipeError, match="is of tinker-local/tiny; model_name is 'nobody/none'"):
        make(service, data, load_checkpoint_path=checkpoint, model_name="nobody/none")


def test_a_limit_below_the_first_step_trains_nothing(
    service: tinker.ServiceClient, data: Path
) -> None:
    training = make(service, data, model_name=MODEL, max_tokens=1)
    assert training.interrupt() is None
    with pytest.raises(RecipeError, match=r"more tokens than max_tokens \(1\) allows"):
        list(training.run())
    assert (training.folder.metrics(), training.folder.checkpoints()) == ([], [])


def test_a_run_of_another_model_or_held_out_data_is_not_resumed(
    service: tinker.ServiceClient, data: Path
) -> None:
    training = make(service, data, model_name=MODEL, eval_data=str(data))
    config = training._config()
    for change, words in (
        ({"model_name": "nobody/none"}, "trains nobody/none, not tinker-local/tiny"),
        ({"eval_data_sha256": "0"}, "is not the eval_data that the run in .* began with"),
    ):
        training.folder.path.mkdir(exist_ok=True)
        RunFolder(training.folder.path).write("config.json", json.dumps(config | change).encode())
        with pytest.raises(RecipeError, match=words):
            list(training.run(resume=True))


def test_evaluation_scores_what_would_be_trained_on(
    service: tinker.ServiceClient, data: Path
) -> None:
    client = service.create_sampling_client(base_model=MODEL).result()
    settings = TrainSettings(data=str(data))
    rows = Rows("x", "jsonl", [Row(n, {"prompt": "a", "completion": "bc"}) for n in (1, 2)], "")
    done: list[tuple[int, int | None]] = []
    params = tinker.SamplingParams(max_tokens=3, temperature=0.0)
    scores = evaluate(
        client,
        recognize(rows),
        settings,
        limit=1,
        exact_match=params,
        progress=lambda *numbers: done.append(numbers),
    )
    assert done == [(1, 1)]
    tokenizer = client.get_tokenizer()
    tokens = tokenizer.encode("abc")
    if tokenizer.eos_token_id is not None:
        tokens = [*tokens, tokenizer.eos_token_id]
    logprobs = client.compute_logprobs(tinker.ModelInput.from_ints(tokens)).result()
    expected = -sum(value for value in logprobs[1:] if value is not None) / len(tokens[1:])
    assert math.isclose(scores.loss, expected, rel_tol=1e-6)
    assert (scores.rows, scores.tokens) == (1, len(tokens) - 1)
    answer = client.sample(tinker.ModelInput.from_ints(tokens[:1]), 1, params).result()
    text = tokenizer.decode(answer.sequences[0].tokens, skip_special_tokens=True)
    assert scores.exact_match == (text.strip() == "bc")
    with pytest.raises(RecipeError, match="Preference pairs have no loss of their own"):
        evaluate(client, recognize(Rows("x", "jsonl", [Row(1, PAIR)], "")), settings)
