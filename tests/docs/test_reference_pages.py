"""The reference pages list what the code has: losses, environment variables, clients."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

import tinker
from tinker import types
from tinker._training.checks import _LOSSES
from tinker_api.models.metric_reduction import MetricReduction
from tinker_local.engine.losses import LOSSES


def rows(page: Path, columns: int) -> list[list[str]]:
    """The cells of all rows of a page's tables that have so many columns."""
    lines = re.findall(r"^\| (`.+) \|$", page.read_text(encoding="utf-8"), re.MULTILINE)
    split = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)] for line in lines]
    return [row for row in split if len(row) == columns]


def names(cell: str) -> list[str]:
    return re.findall(r"`(\w+)`", cell)


def defaults(cell: str) -> dict[str, str]:
    return dict(re.findall(r"`(\w+)` \(`?([\w.]+)", cell))


@pytest.fixture
def losses(repository: Path) -> Path:
    return repository / "docs" / "losses.md"


def test_losses_have_their_inputs_and_keys(losses: Path) -> None:
    listed = {names(row[0])[0]: row for row in rows(losses, 4)}
    formulae = {name for row in rows(losses, 2) for name in names(row[0])}
    assert set(listed) == set(get_args(types.LossFnType)) <= formulae
    for name, (_, inputs, optional, keys) in listed.items():
        known = _LOSSES[name]
        assert names(inputs) == list(known.needs), name
        if known.takes is None:
            assert optional == "any"
        else:
            assert names(optional) == list(known.takes), name
        if known.config is not None:
            assert names(keys) == list(known.config), name


def test_losses_have_the_defaults_of_the_embedded_server(losses: Path) -> None:
    listed = {names(row[0])[0]: row for row in rows(losses, 4)}
    for name, loss in LOSSES.items():
        settings = {key: f"{value:g}" for key, value in loss.settings.items()}
        settings |= {key: words[0] for key, words in loss.choices.items()}
        assert defaults(listed[name][3]) == settings, name


def test_every_suffix_of_a_metric_is_explained(repository: Path) -> None:
    text = (repository / "docs" / "reference.md").read_text(encoding="utf-8")
    assert set(re.findall(r"`:(\w+)`", text)) == set(get_args(MetricReduction))


def test_every_environment_variable_is_listed(repository: Path) -> None:
    listed = set()
    for row in rows(repository / "docs" / "configuration.md", 4):
        listed.update(names(row[0]))
    code = "\n".join(
        path.read_text(encoding="utf-8")
        for room in ("tinker", "tinker_local")
        for path in (repository / room).rglob("*.py")
    )
    read = set(re.findall(r'environ(?:\.get|\.setdefault)?[(\[]"(\w+)"', code))
    read |= set(re.findall(r'"(TINKER_\w+)"', code))
    assert {"TINKER_BASE_URL", "TINKER_CREDENTIAL_CMD", "XDG_CACHE_HOME"} <= read
    assert read <= listed


def test_every_public_class_is_on_a_page(repository: Path) -> None:
    """What autodoc shows, by the directives of the pages."""
    text = (repository / "docs" / "python.md").read_text(encoding="utf-8")
    shown = set(re.findall(r"auto(?:class|module|function):: (\S+)", text))
    clients = {name for name in dir(tinker) if name.endswith("Client")}
    assert {f"tinker.{name}" for name in clients} <= shown


def test_metrics_are_those_of_the_embedded_server(losses: Path) -> None:
    listed: dict[str, set[str]] = {name: set() for name in LOSSES}
    for metric, of, _ in rows(losses, 3):
        for name in LOSSES if of == "every loss" else set(names(of)) & set(LOSSES):
            listed[name].add(metric.strip("`"))
    ones = np.full(4, 0.5)
    inputs = dict.fromkeys(
        ("logprobs", "advantages", "sampled", "drawn_logprobs", "sequence_ratio_mask"), ones
    )
    for name, loss in LOSSES.items():
        settings = dict(loss.settings) | {key: words[0] for key, words in loss.choices.items()}
        reported = set(loss.metrics(-ones, {**inputs, **settings})) | {"loss:sum"}
        assert listed[name] - {"loss:mean"} == reported, name
    assert "loss:mean" in listed["cross_entropy"]
