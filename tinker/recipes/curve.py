"""Curves over the steps of a run, as SVG."""

from __future__ import annotations

import math
import uuid
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
    x_title: str = "step",
    y_title: str = "nats per token",
) -> bytes:
    """Draw any curves, readable on light and dark pages.

    Args:
        curves: Pairs of step and value, by the name that the legend shows.
        title: Of the picture.
        x_title: What the steps are.
        y_title: What the values are, and their unit.
    """
    try:
        import pygal  # noqa: PLC0415  # optional
    except ModuleNotFoundError as error:
        raise missing_extra("drawing a curve", error, "cli") from None
    columns = max(1, min(len(curves), 45 // (max(map(len, curves), default=0) + 4)))
    names = math.ceil(len(curves) / columns) if len(curves) > 1 else 0
    chart = pygal.XY(
        style=pygal.style.Style(
            background="#ffffff",
            plot_background="#ffffff",
            foreground="#444c56",
            foreground_strong="#1f2328",
            foreground_subtle="#d0d7de",
            colors=("#3b82f6", "#ea7317", "#22a06b", "#a371f7", "#e0529c", "#b8860b"),
            opacity=1,
            font_family="sans-serif",
            guide_stroke_color="#d0d7de",
            major_guide_stroke_color="#d0d7de",
            label_font_size=17,
            major_label_font_size=17,
            title_font_size=18,
            legend_font_size=18,
        ),
        css=("file://style.css", "file://graph.css", f"inline:{_CSS}"),
        js=(),
        dots_size=3,
        title=title,
        x_title=x_title,
        y_title=y_title,
        width=560,  # narrow, so that the text stays readable on a phone
        height=max(340, 320 + 28 * names),
        explicit_size=True,
        include_x_axis=True,  # the values begin at 0
        max_scale=7,
        show_legend=len(curves) > 1,
        legend_at_bottom=True,
        legend_at_bottom_columns=columns,
        truncate_legend=-1,
        show_x_guides=False,
        value_formatter=lambda value: f"{value:g}",
        x_value_formatter=lambda value: f"{value:g}",
    )
    # The same curves give the same picture, and others in one page another id.
    chart.uuid = str(uuid.uuid5(uuid.NAMESPACE_OID, repr((title, curves))))
    for name, points in curves.items():
        chart.add(name, points, show_dots=len(points) < 2 or name == "held out")
    drawn: bytes = chart.render()
    return drawn


_CSS = """
.pygal-chart .series .line { stroke-width: 2.5px !important; }
@media (prefers-color-scheme: dark) {
  .pygal-chart .background { fill: #0d1117 !important; }
  .pygal-chart text { fill: #c9d1d9 !important; }
  .pygal-chart .axis .line, .pygal-chart .axis .guide.line { stroke: #30363d !important; }
}
"""
