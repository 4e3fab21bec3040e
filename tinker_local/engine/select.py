"""Chooses the engine: tiny, or hf with the requested models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tinker import _extras
from tinker_local.engine.base import Engine
from tinker_local.engine.hf.folder import ModelError
from tinker_local.engine.tiny.engine import TinyEngine

__all__ = ["ModelError", "select"]


def select(
    models: Sequence[str], *, device: str | None = None, dtype: str | None = None
) -> tuple[Engine[Any], list[str]]:
    """The engine for these models, each `PATH` or `NAME=PATH`, and a line of text about each of them.

    Raises ModelError if one cannot be offered, or a required package is not installed.
    """
    if not models:
        return TinyEngine(), []
    try:
        from tinker_local.engine.hf.engine import HfEngine  # noqa: PLC0415 - takes seconds
    except ModuleNotFoundError as error:
        raise ModelError(
            f"models from folders need the package {error.name}: {_extras.install('hf')}"
        ) from None
    engine = HfEngine([_parsed(model) for model in models], device=device, dtype=dtype)
    return engine, engine.summaries


def _parsed(model: str) -> tuple[str | None, Path]:
    name, separator, path = model.partition("=")
    if not separator or Path(model).exists():
        return None, Path(model).expanduser()
    if not name:
        raise ModelError(f"{model!r} has no name before the =")
    return name, Path(path).expanduser()
