"""The pages for users: every link leads somewhere."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def pages(repository: Path) -> list[Path]:
    folders = (
        repository,
        *(repository / name for name in ("docs", "examples", "codegen", "benchmarks")),
    )
    return [page for folder in folders for page in sorted(folder.glob("*.md"))]


@cache
def anchors(page: Path) -> set[str]:
    headings = _HEADING.findall(_FENCE.sub("", page.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_lead_to_files_and_headings(repository: Path) -> None:
    broken = []
    checked = 0
    for page in pages(repository):
        for link in _LINK.findall(_FENCE.sub("", page.read_text(encoding="utf-8"))):
            if "://" in link or link.startswith("mailto:"):
                continue
            checked += 1
            name, _, anchor = link.partition("#")
            target = (page.parent / name).resolve() if name else page
            if not target.exists() or (anchor and anchor not in anchors(target)):
                broken.append(f"{page.relative_to(repository)}: {link}")
    assert not broken
    assert checked > 100


def test_every_page_can_be_found_from_the_readme(repository: Path) -> None:
    found = {repository / "README.md"}
    queue = list(found)
    while queue:
        page = queue.pop()
        for link in _LINK.findall(page.read_text(encoding="utf-8")):
            target = (page.parent / link.partition("#")[0]).resolve()
            if target.suffix == ".md" and target.exists() and target not in found:
                found.add(target)
                queue.append(target)
    # The site's front page is a table of contents.
    missing = (
        {page.name for page in pages(repository)} - {page.name for page in found} - {"index.md"}
    )
    assert not missing, f"pages that no page links to: {sorted(missing)}"
