"""Trackers: what each is told of a run, and what is said when one is missing or does not start."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any, cast

import pytest

from tinker.recipes import RecipeError, RunFolder, Step, Training, TrainSettings
from tinker.recipes.settings import Logger
from tinker.recipes.trackers import open_all

STEP = Step(3, 9, 0, 1.5, 7, 7, 7, 1e-3, 2.0)
SEEN = {"train_mean_nll": 1.5, "learning_rate": 1e-3, "epoch": 0.0, "time/step": 2.0}


class Recorder(types.ModuleType):
    """A tracker's package that keeps what it is called with."""

    def __init__(self, name: str, fails: bool = False) -> None:
        super().__init__(name)
        self.fails = fails
        self.calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)

        def call(*args: Any, **options: Any) -> None:
            self.calls.append((name, args, options))
            if self.fails:
                raise OSError("no server")

        return call


@pytest.fixture
def training(tmp_path: Path) -> Training:
    return cast("Training", types.SimpleNamespace(folder=RunFolder(tmp_path / "my-run")))


@pytest.mark.parametrize("name", ["wandb", "trackio", "mlflow"])
def test_a_run_is_named_logged_and_ended(
    name: Logger, training: Training, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder(name)
    monkeypatch.setitem(sys.modules, name, recorder)
    opened = open_all(TrainSettings(data="d", log=(name,), wandb_project="mine"), training)
    opened.log(STEP)
    opened.close()
    told = {called: (args, options) for called, args, options in recorder.calls}
    if name == "mlflow":
        assert told["set_experiment"] == (("mine",), {})
        assert told["start_run"] == ((), {"run_name": "my-run"})
        parameters = told["log_params"][0][0]
        values, options = told["log_metrics"][0][0], told["log_metrics"][1]
        last = "end_run"
    else:
        assert told["init"][1]["project"] == "mine"
        assert told["init"][1]["name"] == "my-run"
        parameters = told["init"][1]["config"]
        values, options = told["log"][0][0], told["log"][1]
        last = "finish"
    assert parameters["data"] == "d"
    assert options == {"step": 3}
    assert values.items() >= SEEN.items()
    assert recorder.calls[-1][0] == last


def test_a_tracker_that_is_not_installed_or_does_not_start(
    training: Training, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Recorder("trackio")
    monkeypatch.setitem(sys.modules, "trackio", first)
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(RecipeError, match="Logging to wandb needs the package wandb: install"):
        open_all(TrainSettings(data="d", log=("trackio", "wandb")), training)
    assert first.calls[-1][0] == "finish"  # what had begun is ended
    monkeypatch.setitem(sys.modules, "wandb", Recorder("wandb", fails=True))
    with pytest.raises(RecipeError, match="Logging to wandb does not start: no server"):
        open_all(TrainSettings(data="d", log=("wandb",)), training)
