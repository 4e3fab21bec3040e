"""README.md: its numbers are those that were measured."""

from __future__ import annotations

import re
from pathlib import Path

import pytest


def measured(repository: Path, scenario: str, figure: str) -> list[float]:
    """The official SDK's figure and ours, of a row of benchmarks/RESULTS.md."""
    results = (repository / "benchmarks" / "RESULTS.md").read_text(encoding="utf-8")
    (row,) = re.findall(rf"^\| {scenario} \| {figure} \| ([\d.]+) \w+ \| ([\d.]+) ", results, re.MULTILINE)  # fmt: skip
    return [float(number) for number in row]


def test_sizes_and_times_are_those_of_the_benchmark(repository: Path) -> None:
    readme = (repository / "README.md").read_text(encoding="utf-8")
    (told,) = re.findall(r"\| (\d+) MB; (\d+) ms \| . \| (\d+) MB; (\d+) ms \|", readme)
    official_size, official_time, size, time = map(float, told)
    sizes = measured(repository, "installed", "client and dependencies")
    times = measured(repository, "start", "import tinker")
    assert [official_size, size] == pytest.approx(sizes, rel=0.25)
    assert official_time == pytest.approx(times[0], rel=0.25)
    assert time == max(1, round(times[1]))


def test_the_table_has_ten_rows(repository: Path) -> None:
    readme = (repository / "README.md").read_text(encoding="utf-8")
    compared = readme.partition("## Compared")[2].partition("\n## ")[0]
    assert len(re.findall(r"^\| ", compared, re.MULTILINE)) == 1 + 10
