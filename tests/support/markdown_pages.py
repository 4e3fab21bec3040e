"""The code blocks of a Markdown page, with what the page says about running them.

A comment before a block, which no reader sees, keeps it from being run as it stands:

    <!-- not run: the reason -->       the test only checks that its commands exist and its Python compiles
    <!-- needs: torch -->              run where the module is installed
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

_MARK = re.compile(r"<!-- (not run|needs): (.+?) -->", re.DOTALL)


@dataclass(frozen=True)
class Block:
    language: str
    text: str
    line: int
    """Of its first line, from 1."""
    not_run: str = ""
    needs: str = ""


def blocks(page: Path) -> list[Block]:
    """The blocks of a page in their order. An indented block has no language."""
    found = []
    marks: dict[str, str] = {}
    for token in MarkdownIt("commonmark").enable("table").parse(page.read_text(encoding="utf-8")):
        if token.type == "html_block":
            marks = dict(_MARK.findall(token.content))
        elif token.type in ("fence", "code_block"):
            assert token.map is not None
            found.append(
                Block(
                    language=token.info.strip(),
                    text=token.content,
                    line=token.map[0] + (2 if token.type == "fence" else 1),
                    not_run=" ".join(marks.get("not run", "").split()),
                    needs=marks.get("needs", ""),
                )
            )
        if token.type != "html_block":
            marks = {}
    return found


def commands(block: Block) -> list[str]:
    """The command lines of a block of shell, without comments; a line that ends in a backslash goes on."""
    text = re.sub(r"\\\n\s*", " ", block.text)
    lines = [re.sub(r"(^|\s{2,})#.*", "", line).strip() for line in text.splitlines()]
    return [line for line in lines if line]
