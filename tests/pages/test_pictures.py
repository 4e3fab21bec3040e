"""The pictures of the documentation, as a browser shows them: readable on light and on dark pages, wide and narrow."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path

import pytest

from tests.pages.test_page import browser, pytestmark
from tinker.recipes import curve

__all__ = ["browser", "pytestmark"]

COLOURS = """() => [...document.querySelectorAll('text')].filter(t => t.textContent.trim())
    .map(t => getComputedStyle(t).fill)"""

SIZES = """() => [...document.querySelectorAll('text')].filter(t => t.textContent.trim())
    .map(t => parseFloat(getComputedStyle(t).fontSize))"""

BOXES = """() => [...document.querySelectorAll('text')].filter(t => t.textContent.trim())
    .map(t => [t.textContent, t.getBoundingClientRect()])
    .map(([text, box]) => [text, box.left, box.top, box.right, box.bottom])"""


def luminance(colour: str) -> float:
    """Of `rgb(…)`, by the formula of WCAG."""
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["loss.svg", "outages.svg"])
def test_text_is_readable(browser: object, repository: Path, name: str, scheme: str) -> None:
    context = browser.new_context(color_scheme=scheme)  # type: ignore[attr-defined]
    page = context.new_page()
    page.goto((repository / "docs" / name).as_uri())
    ground = luminance(
        page.evaluate("() => getComputedStyle(document.querySelector('.background')).fill")
    )
    assert (ground < 0.1) == (scheme == "dark")
    texts = [luminance(colour) for colour in page.evaluate(COLOURS)]
    sizes, width = page.evaluate(SIZES), page.evaluate("document.rootElement.viewBox.baseVal.width")
    context.close()
    assert min(sizes) * 328 / width > 9.5  # on a phone of 360 px, with margins of 16
    assert len(texts) > 8
    contrasts = [(max(ground, text) + 0.05) / (min(ground, text) + 0.05) for text in texts]
    assert min(contrasts) >= 4.5


@pytest.mark.parametrize(
    "names", [["reward"], ["training", "held out"], [f"0.000{n}, rank 32" for n in range(1, 7)]]
)
def test_no_text_covers_another(browser: object, tmp_path: Path, names: list[str]) -> None:
    picture = tmp_path / "curves.svg"
    points = [(step, 3.0 - step / 10) for step in range(20)]
    picture.write_bytes(curve.lines(dict.fromkeys(names, points), "Loss of the runs"))
    page = browser.new_page()  # type: ignore[attr-defined]
    page.goto(picture.as_uri())
    boxes = page.evaluate(BOXES)
    page.close()
    assert {text for text, *_ in boxes} >= {"Loss of the runs", *(names if len(names) > 1 else ())}
    for (one, left, top, right, bottom), (other, *box) in combinations(boxes, 2):
        apart = right <= box[0] or box[2] <= left or bottom <= box[1] or box[3] <= top
        assert apart, f"{one} and {other}"
