"""Curves over the steps of a run, as SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tinker.recipes.errors import missing_extra


def svg(metrics: Sequence[Mapping[str, Any]], title: str = "Loss") -> bytes:
    """Draw the training loss, and the held-out loss where it was computed.

    Args:
        metrics: Rows of metrics.jsonl.
        title: Of the picture.
    """
    curves = {"training": [(row["step"] + 1, row["train_mean_nll"]) for row in metrics]}
    held_out = [(row["step"] + 1, row["test/nll"]) for row in metrics if "test/nll" in row]
    return lines(curves | ({"held out": held_out} if held_out else {}), title)


def lines(
    curves: Mapping[str, Sequence[tuple[float, float]]],
    title: str,
    *,
    y_title: str = "nats per token",
) -> bytes:
    """Draw any curves over the steps.

    Args:
        curves: Pairs of step and value, by the name that the legend shows.
        title: Of the picture.
        y_title: What the values are, and their unit.
    """
    try:
        import pygal  # noqa: PLC0415  # optional
        from pygal.style import CleanStyle  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise missing_extra("drawing a curve", error, "cli") from None
    chart = pygal.XY(
        style=CleanStyle,
        js=(),
        dots_size=1.5,
        title=title,
        x_title="step",
        y_title=y_title,
        width=720,
        height=360,
        legend_at_bottom=True,
        show_x_guides=False,
        value_formatter=lambda value: f"{value:g}",
        x_value_formatter=lambda value: f"{value:g}",
    )
    for name, points in curves.items():
        chart.add(name, points, show_dots=len(points) < 2 or name == "held out")
    drawn: bytes = chart.render()
    return drawn
