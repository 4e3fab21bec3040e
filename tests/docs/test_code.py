"""What the pages show works: every block of Python runs, and every command line is one that its program takes."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from sybil.document import PythonDocument
from sybil.parsers.markdown import CodeBlockParser

from tests.docs.test_links import pages

REPOSITORY = Path(__file__).parents[2]
PAGES = {page.relative_to(REPOSITORY).as_posix(): page for page in pages(REPOSITORY)}
_FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
_SHELL = re.compile(
    r"^ {4,}((?:[A-Z_]+=\S+ )*(?:make|pip|python3?|tinker|export|git|npx) .*)$", re.MULTILINE
)


def blocks(page: Path) -> list[str]:
    document = PythonDocument(page.read_text(encoding="utf-8"), str(page))
    parser = CodeBlockParser(language="python", evaluator=lambda example: None)
    return [str(region.parsed) for region in parser(document)]


def shell_lines(page: Path) -> list[str]:
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    return [re.sub(r"\s{2,}#.*", "", line).strip() for line in _SHELL.findall(text)]


@pytest.mark.parametrize("name", [name for name, page in PAGES.items() if blocks(page)])
def test_python_runs(name: str, server: str, tmp_path: Path) -> None:
    environment = {**os.environ, "TINKER_BASE_URL": server, "TINKER_API_KEY": "tml-docs"}
    code = "\n".join(
        blocks(PAGES[name])
    )  # a page is one program: later blocks use the names of earlier ones
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True,
        timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{code}\n{done.stderr}"
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", [name for name, page in PAGES.items() if shell_lines(page)])
def test_command_lines_are_taken(name: str) -> None:
    wrong = [line for line in shell_lines(PAGES[name]) if not _taken(line)]
    assert wrong == []


def _taken(line: str) -> bool:
    words = shlex.split(line)
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words.pop(0)
    program, *arguments = words
    if program == "make":
        targets = [word for word in arguments if "=" not in word]
        return _runs(["make", "--dry-run", *targets])
    if program == "tinker":
        return _options_are_known([sys.executable, "-m", "tinker.cli"], arguments, commands=2)
    if program.startswith("python") and arguments[0] == "-m":
        return _options_are_known([sys.executable, "-m", arguments[1]], arguments[2:], commands=0)
    if program.startswith("python"):
        return (REPOSITORY / arguments[0]).exists()
    # What pip is told is tried in tests/compat/installation; the others are the system's own.
    return program in ("pip", "export", "git", "npx")


def _runs(command: list[str]) -> bool:
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, check=False).returncode == 0


def _options_are_known(program: list[str], arguments: list[str], *, commands: int) -> bool:
    """Whether --help of a program, or of its command, lists the options of a line."""
    chain = []
    for word in arguments[:commands]:
        if not re.fullmatch(r"[a-z][a-z-]+", word):
            break
        chain.append(word)
    options = {word.partition("=")[0] for word in arguments if re.match(r"--?[a-z]", word)}
    for end in range(len(chain), -1, -1):
        shown = subprocess.run(
            [*program, *chain[:end], "--help"], cwd=REPOSITORY, capture_output=True, text=True, check=False
        )  # fmt: skip
        if shown.returncode == 0 and (end or not chain):
            return all(re.search(rf"{re.escape(option)}\b", shown.stdout) for option in options)
    return False
