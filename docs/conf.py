"""The documentation site: `make docs` builds it into site/ from these pages, strictly, and writes llms.txt."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

project = "tinker"
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_click",
    "sphinx_copybutton",
]
html_theme = "furo"
pygments_dark_style = "github-dark"  # the default underlines imported names
html_title = "tinker"
html_copy_source = True
html_sourcelink_suffix = ""  # each page is there as Markdown too
html_static_path, html_css_files = ["_static"], ["tables.css"]
html_theme_options = {"source_view_link": "_sources/{filename}"}
myst_heading_anchors = 6
myst_enable_extensions = ["html_image"]  # pictures with a width
smartquotes_action = "qe"  # two hyphens stay two: they begin options
autodoc_member_order = "bysource"
python_use_unqualified_type_names = True
suppress_warnings = [
    "myst.header",  # the reference of the contract starts deeper where a schema has no title
    "ref.python",  # fields of several types share a name, such as `tokens`
]
PAGES = Path(__file__).parent


def _llms(app: Any, exception: Exception | None) -> None:
    """Write what language models are told: every page with its first paragraph, and where its Markdown is."""
    if exception:
        return
    index = (PAGES / "index.md").read_text(encoding="utf-8")
    lines = ["# tinker", "", "> A contract-first Python client for the Tinker training API."]
    listed = set()
    for part, names in re.findall(
        r"^:caption: (.+)\n(?::.*\n)*\n((?:\S+\n)+)```", index, re.MULTILINE
    ):
        lines += ["", f"## {part}", ""]
        for name in names.split():
            lines.append(_entry(PAGES / f"{name}.md"))
            listed.add(name)
    more = [page for page in sorted(PAGES.glob("*.md")) if page.stem not in listed | {"index"}]
    lines += ["", "## More", "", *map(_entry, more)] if more else []
    (Path(app.outdir) / "llms.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _entry(page: Path) -> str:
    text = page.read_text(encoding="utf-8")
    title = re.search(r"^# (.+)$", text, re.MULTILINE)
    first = re.search(r"^(?![#|`!<:\[\s-]).+?(?=\n\n)", text, re.MULTILINE | re.DOTALL)
    summary = " ".join(first[0].split()) if first else ""
    summary = re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", summary)  # links lead elsewhere from there
    return f"- [{title[1] if title else page.stem}](_sources/{page.name}): {summary}"


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


def _literals(
    app: Any, what: str, name: str, value: object, options: object, lines: list[str]
) -> None:
    """Make reStructuredText of a docstring, which marks code as Markdown does: by single backticks, and by indenting it."""
    text = re.sub(
        r"(?<!`)`([^`]+)`(?!`)(\w?)",
        lambda m: f"``{m[1]}``{m[2] and chr(92) + ' ' + m[2]}",
        "\n".join(lines),
    )
    given, lines[:] = text.split("\n"), []
    before = ""
    for line in given:
        indent = len(before) - len(before.lstrip())
        if lines and not lines[-1] and before and line.startswith(" " * (indent + 4)):
            lines += [" " * indent + "::", ""]
        lines.append(line)
        before = line or before


def setup(app: Any) -> None:
    app.connect("source-read", _outside)
    app.connect("source-read", _unlisted)
    app.connect("autodoc-process-docstring", _literals, priority=400)  # before napoleon
    app.connect("build-finished", _llms)
