"""The loss curve of a run, as SVG."""

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
    try:
        import pygal  # noqa: PLC0415  # optional
        from pygal.style import CleanStyle  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise missing_extra("drawing the loss curve", error, "cli") from None
    chart = pygal.XY(
        style=CleanStyle,
        js=(),
        dots_size=1.5,
        title=title,
        x_title="step",
        y_title="nats per token",
        width=720,
        height=360,
        legend_at_bottom=True,
        show_x_guides=False,
        value_formatter=lambda value: f"{value:g}",
        x_value_formatter=lambda value: f"{value:g}",
    )
    training = [(row["step"] + 1, row["train_mean_nll"]) for row in metrics]
    held_out = [(row["step"] + 1, row["test/nll"]) for row in metrics if "test/nll" in row]
    chart.add("training", training, show_dots=len(training) < 2)
    if held_out:
        chart.add("held out", held_out)
    drawn: bytes = chart.render()
    return drawn
