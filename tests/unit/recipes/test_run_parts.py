"""Schedules, settings and the folder of a run."""

from __future__ import annotations

import json
import multiprocessing
import sys
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given, strategies as st

from tinker.recipes import (
    CheckpointRecord,
    RecipeError,
    RunFolder,
    Schedule,
    TrainSettings,
    default_learning_rate,
    read_config,
    scale,
    training_cost,
)
from tinker.recipes.base_model import served_name


@given(
    schedule=st.sampled_from(["linear", "cosine", "constant"]),
    steps=st.integers(1, 500),
    warmup=st.integers(0, 100),
)
def test_schedules_rise_and_never_rise_again(schedule: Schedule, steps: int, warmup: int) -> None:
    rates = [scale(schedule, step, steps, warmup) for step in range(steps)]
    assert all(0 < rate <= 1 for rate in rates)
    peak = min(warmup, steps - 1)
    assert rates[:peak] == sorted(rates[:peak])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    if warmup < steps:
        assert rates[warmup] == 1.0


def test_linear_and_cosine_by_hand() -> None:
    assert [scale("linear", n, 4) for n in range(4)] == [1.0, 0.75, 0.5, 0.25]
    assert [round(scale("cosine", n, 4), 6) for n in range(4)] == [1.0, 0.853553, 0.5, 0.146447]
    assert [scale("linear", n, 6, 2) for n in range(4)] == [0.5, 1.0, 1.0, 0.75]


def test_the_default_rate_falls_with_the_size_in_the_name() -> None:
    rates = [
        default_learning_rate(name, 32)
        for name in ("HuggingFaceTB/SmolLM2-135M", "Llama-3.2-1B", "Qwen3-8B", "Llama-70B")
    ]
    assert rates == sorted(rates, reverse=True)
    assert default_learning_rate("Llama-3.2-1B", 32) == 5e-4
    assert default_learning_rate("Qwen3-30B-A3B", 32) == default_learning_rate("X-30B", 32)
    assert default_learning_rate("no-size", 32) == 1e-4
    assert default_learning_rate("Qwen3-8B", 64) == default_learning_rate("Qwen3-8B", 8)


def test_settings_survive_as_plain_values() -> None:
    for settings in (
        TrainSettings(),
        TrainSettings(
            data="d", max_steps=3, ttl_days=None, log=("wandb", "mlflow"), eval_fraction=0
        ),
    ):
        assert TrainSettings.of(json.loads(json.dumps(settings.values()))) == settings


def test_the_model_of_a_file_or_folder_is_offered_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.gguf").touch()
    (tmp_path / "folder").mkdir()
    assert served_name("Qwen/Qwen3-8B", ()) == "Qwen/Qwen3-8B"
    assert served_name("small.gguf", ()) == "small"
    assert served_name("small.gguf", ("small.gguf",)) == "small.gguf"
    assert served_name("folder/", ()) == served_name("folder/../folder", ()) == "folder"
    assert served_name(".", ()) == served_name("folder/..", ()) == tmp_path.name


def test_schedules_that_are_not_known() -> None:
    with pytest.raises(RecipeError, match="'step' is not one of linear, cosine, constant"):
        scale("step", 0, 1)  # type: ignore[arg-type]


def test_money_only_from_the_table() -> None:
    assert training_cost("unknown/model", 10**6) is None
    assert training_cost("thinkingmachines/Inkling", 2 * 10**6) == pytest.approx(2 * 5.61)


def test_every_setting_is_checked_by_name() -> None:
    settings = TrainSettings.of({"data": "x", "batch-size": 4, "log": "wandb", "learning_rate": 1})
    assert (settings.batch_size, settings.log, settings.learning_rate) == (4, ("wandb",), 1.0)
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"batch_sise": 4}, "'batch_sise' is not a setting. Did you mean 'batch_size'\\?$"),
        ({"batch_size": "4"}, "batch_size is '4'; it must be an integer"),
        ({"batch_size": True}, "batch_size"),
        ({"batch_size": 0}, "at least 1"),
        ({"lr_schedule": "step"}, "linear, cosine, constant"),
        ({"learning_rate": float("nan")}, "finite"),
        ({"train_mlp": 1}, "true or false"),
        ({"learning_rate": 0}, "must be more than 0"),
        ({"learning_rate": True}, "must be a finite number"),
        ({"something": 1}, "'something' is not a setting\\.$"),
        ({"log": ["wandb", "paper"]}, "log is 'paper'; it must be one of wandb, trackio"),
    ]
    for values, words in wrong:
        with pytest.raises(RecipeError, match=words):
            TrainSettings.of(values)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.toml", 'data = "d"\nbatch_size = 3\n'),
        ("a.json", '{"data": "d", "batch_size": 3}'),
        ("a.yaml", "data: d\nbatch_size: 3\n"),
    ],
)
def test_configuration_files(tmp_path: Path, name: str, text: str) -> None:
    if name.endswith(".yaml"):
        pytest.importorskip("yaml")
    (tmp_path / name).write_text(text)
    assert read_config(tmp_path / name) == {"data": "d", "batch_size": 3}


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.toml", "data = ", "cannot be parsed"),
        ("a.json", "{", "cannot be parsed"),
        ("a.json", "[]", "must hold keys and values"),
        ("a.yaml", "a: [", "cannot be parsed"),
        ("none.json", None, "cannot be read: No such file"),
    ],
)
def test_configuration_files_that_cannot_be_used(
    tmp_path: Path, name: str, text: str | None, words: str
) -> None:
    if name.endswith(".yaml"):
        pytest.importorskip("yaml")
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(RecipeError, match=words):
        read_config(tmp_path / name)


def test_yaml_without_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    (tmp_path / "a.yml").write_text("data: d\n")
    with pytest.raises(RecipeError, match="need the package PyYAML"):
        read_config(tmp_path / "a.yml")


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "it has no config.json"), (b"{", "is damaged"), (b"[]", "it is not an object")],
)
def test_folders_without_a_run(tmp_path: Path, content: bytes | None, words: str) -> None:
    if content is not None:
        (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(RecipeError, match=words):
        RunFolder(tmp_path).config()


def test_folders_that_cannot_be_made_or_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RecipeError, match="cannot be created"):
        RunFolder(tmp_path / "file" / "run").create({})
    folder = RunFolder(tmp_path)
    (tmp_path / "metrics.jsonl").mkdir()
    with pytest.raises(RecipeError, match=r"metrics\.jsonl cannot be written: Is a directory"):
        folder.add_metrics({"step": 0})
    with pytest.raises(RecipeError, match=r"metrics\.jsonl cannot be written"):
        folder.write("metrics.jsonl", b"")
    assert [path.name for path in tmp_path.glob(".metrics*")] == []  # no temporary file is left


def test_the_best_and_the_last_checkpoint(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    assert (folder.best, folder.last, folder.metrics()) == (None, None, [])
    worse = evolve(RECORD, name="000020", batch=20, eval_loss=1.7)
    final = evolve(RECORD, name="final", batch=20, eval_loss=None, final=True)
    for record in (RECORD, final, worse):
        folder.record(record)
    assert (folder.best, folder.last) == (RECORD, final)
    folder.record(evolve(RECORD, deleted=True))
    assert folder.best == worse


def test_the_configuration_of_a_run_is_one_too(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.create({"recipe": "r", "model_name": "m", "settings": {"data": "d"}})
    assert read_config(folder.path / "config.json") == {"data": "d"}
    with pytest.raises(RecipeError, match="already contains a run"):
        folder.create({})


RECORD = CheckpointRecord(
    "000010", 10, 0, "tinker://r/weights/000010", "tinker://r/sampler_weights/000010", 1.5
)


def test_checkpoints_are_replaced_by_name(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.record(RECORD)
    folder.record(evolve(RECORD, name="final", batch=20, final=True))
    folder.record(evolve(RECORD, deleted=True))
    assert [(c.name, c.deleted, c.final) for c in folder.checkpoints()] == [
        ("000010", True, False),
        ("final", False, True),
    ]
    # The keys of tinker-cookbook's files, and an epoch of 0 is one.
    first = json.loads((tmp_path / "checkpoints.jsonl").read_text().splitlines()[0])
    assert first.keys() >= {"name", "batch", "epoch", "state_path", "sampler_path"}


def test_a_line_cut_by_a_crash_is_dropped_and_one_in_the_middle_is_reported(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    for step in range(4):
        folder.add_metrics({"step": step})
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(path.read_bytes() + b'{"step": 4, "lo')
    assert [row["step"] for row in folder.metrics()] == [0, 1, 2, 3]
    folder.forget_after(2)
    assert [row["step"] for row in folder.metrics()] == [0, 1]
    path.write_bytes(b'{"step": 0}\n{"st\n{"step": 2}\n')
    with pytest.raises(RecipeError, match="damaged on line 2"):
        folder.metrics()


def test_a_checkpoint_without_its_path_is_told(tmp_path: Path) -> None:
    (tmp_path / "checkpoints.jsonl").write_text('{"name": "000003", "batch": 3}\n')
    with pytest.raises(RecipeError, match=r"has a checkpoint without epoch, state_path\.$"):
        RunFolder(tmp_path).checkpoints()


def _hold(path: str, held: Any, release: Any) -> None:
    with RunFolder(path).locked():
        held.set()
        release.wait()


def test_two_processes_do_not_hold_one_folder(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    held, release = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(str(tmp_path), held, release))
    other.start()
    assert held.wait(30)
    with pytest.raises(RecipeError, match="in use"), RunFolder(tmp_path).locked():
        pass
    assert other.pid is not None
    other.kill()  # the lock goes with its process
    other.join(30)
    with RunFolder(tmp_path).locked():
        pass


def test_a_forked_process_does_not_hold_a_folder(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    release = context.Event()
    with RunFolder(tmp_path).locked():
        other = context.Process(target=release.wait)
        other.start()
    try:
        with RunFolder(tmp_path).locked():
            pass
    finally:
        release.set()
        other.join(30)
