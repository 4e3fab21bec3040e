"""Experiment trackers that a run logs to as well: wandb, trackio, TensorBoard, MLflow."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tinker import _log
from tinker.recipes.errors import RecipeError
from tinker.recipes.events import Evaluation, Event, Step
from tinker.recipes.settings import Logger, TrainSettings
from tinker.recipes.supervised import Training

Log = Callable[[int, Mapping[str, float]], object]


class Trackers:
    """All trackers of a run. One that fails is left out from then on, with a warning: the run goes on."""

    def __init__(self, opened: Mapping[Logger, tuple[Log, Callable[[], object]]]) -> None:
        self._opened = dict(opened)

    def log(self, event: Event) -> None:
        match event:
            case Step():
                values = {
                    "train_mean_nll": event.loss,
                    "learning_rate": event.learning_rate,
                    "epoch": float(event.epoch),
                    "num_tokens": float(event.tokens),
                    "time/step": event.seconds,
                }
                self._log(event.step, values)
            case Evaluation():
                self._log(event.step - 1, {"test/nll": event.loss})

    def _log(self, step: int, values: Mapping[str, float]) -> None:
        for name, (log, _) in list(self._opened.items()):
            with self._left_out_if_it_fails(name):
                log(step, values)

    def close(self) -> None:
        for name, (_, close) in list(self._opened.items()):
            with self._left_out_if_it_fails(name):
                close()

    @contextlib.contextmanager
    def _left_out_if_it_fails(self, name: Logger) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001  # each tracker has its own tree of errors
            del self._opened[name]
            _log.TRACKER_FAILED(tracker=name, error=error)


def open_all(settings: TrainSettings, training: Training) -> Trackers:
    """Start a run in each tracker of the settings.

    Raises:
        RecipeError: A tracker's package is not installed, or the tracker does not start.
    """
    opened = Trackers({})
    for name in settings.log:
        try:
            opened._opened[name] = _OPENERS[name](settings, training)
        except Exception as error:
            opened.close()
            if isinstance(error, RecipeError):
                raise
            raise RecipeError(f"Logging to {name} does not start: {error}") from error
    return opened


def _module(name: Logger, package: str) -> Any:
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        raise RecipeError(
            f"Logging to {name} needs the package {error.name}: install {name}, or leave out --log {name}."
        ) from None


def _wandb_like(
    name: Logger,
) -> Callable[[TrainSettings, Training], tuple[Log, Callable[[], object]]]:
    def begin(settings: TrainSettings, training: Training) -> tuple[Log, Callable[[], object]]:
        module = _module(name, name)
        module.init(
            project=settings.wandb_project or "tinker",
            name=settings.wandb_name or training.folder.path.name,
            config=settings.values(),
        )
        return lambda step, values: module.log(dict(values), step=step), module.finish

    return begin


def _tensorboard(settings: TrainSettings, training: Training) -> tuple[Log, Callable[[], object]]:
    summary = _module("tensorboard", "tensorboard.summary")
    writer = summary.Writer(str(training.folder.path / "tensorboard"))

    def log(step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            writer.add_scalar(name, value, step)

    return log, writer.close


def _mlflow(settings: TrainSettings, training: Training) -> tuple[Log, Callable[[], object]]:
    mlflow = _module("mlflow", "mlflow")
    mlflow.set_experiment(settings.wandb_project or "tinker")
    mlflow.start_run(run_name=settings.wandb_name or training.folder.path.name)
    mlflow.log_params(
        {name: value for name, value in settings.values().items() if value is not None}
    )
    return lambda step, values: mlflow.log_metrics(dict(values), step=step), mlflow.end_run


_OPENERS: dict[Logger, Callable[[TrainSettings, Training], tuple[Log, Callable[[], object]]]] = {
    "wandb": _wandb_like("wandb"),
    "trackio": _wandb_like("trackio"),
    "tensorboard": _tensorboard,
    "mlflow": _mlflow,
}
