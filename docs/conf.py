"""The documentation site: `make docs` builds it into site/ from these pages, strictly, and writes llms.txt."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

project = "tinker"
extensions = ["myst_parser"]
html_theme = "furo"
html_title = "tinker"
html_copy_source = True
html_sourcelink_suffix = ""  # each page is there as Markdown too
html_theme_options = {"source_view_link": "_sources/{filename}"}
myst_heading_anchors = 6
suppress_warnings = [
    "myst.header"
]  # the reference of the contract starts deeper where a schema has no title
PAGES = Path(__file__).parent


def _llms(app: Any, exception: Exception | None) -> None:
    """Write what language models are told: every page with its first paragraph, and where its Markdown is."""
    if exception:
        return
    lines = ["# tinker", "", "> A contract-first Python client for the Tinker training API.", ""]
    for page in sorted(PAGES.glob("*.md")):
        text = page.read_text(encoding="utf-8")
        title = re.search(r"^# (.+)$", text, re.MULTILINE)
        first = re.search(r"^(?![#|`!<:\[\s-]).+?(?=\n\n)", text, re.MULTILINE | re.DOTALL)
        if title and page.stem != "index":
            summary = " ".join(first[0].split()) if first else ""
            lines.append(f"- [{title[1]}](_sources/{page.name}): {summary}")
    (Path(app.outdir) / "llms.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _outside(app: Any, name: str, source: list[str]) -> None:
    """Name files of the repository that are not on the site, in place of a link to them."""
    source[0] = re.sub(
        r"\[([^\]]+)\]\(\.\./([^)#]+)[^)]*\)", r"\1 (`\2` in the repository)", source[0]
    )


def _unlisted(app: Any, name: str, source: list[str]) -> None:
    """Give pages that index.md does not name a place at its end."""
    if name == "index":
        listed = set(source[0].splitlines()) | {"index"}
        more = [page.stem for page in sorted(PAGES.glob("*.md")) if page.stem not in listed]
        if more:
            source[0] += "\n".join(["\n```{toctree}", ":caption: More", "", *more, "```\n"])


def setup(app: Any) -> None:
    app.connect("source-read", _outside)
    app.connect("source-read", _unlisted)
    app.connect("build-finished", _llms)
