"""What the pages show works: their Python and their command lines run, in the order of the page.

A page is one program, in a folder of its own: later blocks use the names and files of earlier ones. Where a block starts a
server, later blocks talk to it.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import re
import select
import shlex
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import click
import pytest

from tests.docs.test_links import pages
from tests.support.markdown_pages import Block, blocks, commands
from tinker._protocol import session
from tinker.cli.app import tinker as tinker_command

REPOSITORY = Path(__file__).parents[2]
PAGES = {page.relative_to(REPOSITORY).as_posix(): page for page in pages(REPOSITORY)}
LANGUAGES = {"python", "sh", "text", "json", "toml", "yaml", "typescript"}
GENERATED = {"docs/reference.md"}
_SERVER = re.compile(r"(python -m tinker_local|tinker serve)\b")
_ADDRESS = "http://127.0.0.1:8000"


@pytest.fixture
def place(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A folder, an environment and loggers of the page's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TINKER_BASE_URL", server)
    monkeypatch.setenv("TINKER_API_KEY", "tml-docs")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    loggers = [logging.getLogger(name) for name in ("tinker", "tinker.requests")]
    levels = [logger.level for logger in loggers]
    yield
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


@pytest.mark.parametrize("name", [name for name, page in PAGES.items() if blocks(page)])
def test_blocks_run(name: str, server: str, place: None, capfd: pytest.CaptureFixture[str]) -> None:
    warnings.simplefilter("error", FutureWarning)  # no page shows what is deprecated
    names: dict[str, Any] = {"__name__": "__main__"}
    address, started, missing = server, list[subprocess.Popen[str]](), set[str]()
    others = session.open_sessions()
    try:
        for block in blocks(PAGES[name]):
            if block.not_run:
                continue
            if block.needs and not importlib.util.find_spec(block.needs):
                missing.add(block.needs)
            elif block.language == "python":
                exec(compiled(name, block).replace(_ADDRESS, address), names)
            elif block.language == "sh" and _SERVER.search(block.text):
                started.append(process := begin(block))
                address = ready(process)
            elif block.language == "sh":
                text = block.text.replace(_ADDRESS, address)
                done = subprocess.run(["bash", "-euo", "pipefail", "-c", text],
                    stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
                )  # fmt: skip
                assert done.returncode == 0, (
                    f"{name}:{block.line}\n{text}{done.stdout}{done.stderr}"
                )
    finally:
        for mine in session.open_sessions():  # a program's exit would finish them
            if mine not in others:
                mine.close().result(timeout=20)
        for process in started:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=20)
    assert "Traceback" not in capfd.readouterr().err
    if missing:
        pytest.skip(f"could not import {', '.join(map(repr, sorted(missing)))}: blocks of {name}")


def compiled(name: str, block: Block) -> str:
    """The code, moved to its line of the page, so that a traceback names it."""
    code = "\n" * (block.line - 1) + block.text
    compile(code, name, "exec")
    return code


def begin(block: Block) -> subprocess.Popen[str]:
    """Start the server of a block, on a free port."""
    command = "exec " + " ".join(commands(block))
    return subprocess.Popen(
        ["bash", "-c", re.sub(r"--port \d+", "--port 0", command)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip


def ready(process: subprocess.Popen[str]) -> str:
    """The address that a server prints."""
    assert process.stdout is not None
    while select.select([process.stdout], [], [], 60)[0]:
        line = process.stdout.readline()
        assert line, f"{process.args!r} ended before it was ready"
        if found := re.search(r"http://\S+", line):
            return found[0].rstrip(".,")
    raise AssertionError(f"{process.args!r} was not ready in a minute")


@pytest.mark.parametrize("name", [name for name, page in PAGES.items() if blocks(page)])
def test_blocks_have_a_language_and_commands_exist(name: str) -> None:
    for block in blocks(PAGES[name]):
        where = f"{name}:{block.line}"
        if block.language.startswith("{") or name in GENERATED:
            continue
        assert block.language in LANGUAGES, f"{where}: fence the block, and name its language"
        if block.language == "python":
            compiled(name, block)
        elif block.language == "sh":
            wrong = [line for line in commands(block) if not is_known(line)]
            assert not wrong, where


def test_pages_open_with_what_their_reader_can_do() -> None:
    for page in sorted((REPOSITORY / "docs").glob("*.md")):
        if page.name not in ("index.md", "reference.md"):
            title, _, opening, *_ = page.read_text(encoding="utf-8").splitlines()
            assert title.startswith("# "), page.name
            assert opening.startswith("After this page you "), f"{page.name}: {opening}"


def is_known(line: str) -> bool:
    """Whether the program of a command line exists, with its options."""
    words = shlex.split(line)
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words.pop(0)
    program, *arguments = words
    if program == "make":
        targets = [word for word in arguments if "=" not in word]
        return all(re.search(rf"^{target}:", makefile(), re.MULTILINE) for target in targets)
    if program == "tinker":
        return tinker_takes(arguments)
    if program.startswith("python") and arguments[0] == "-m":
        options = {word.partition("=")[0] for word in arguments[2:] if word.startswith("-")}
        return all(re.search(rf"{option}\b", usage(arguments[1])) for option in options)
    if program.startswith("python"):
        return (REPOSITORY / arguments[0]).exists()
    if program.startswith("./"):
        return (REPOSITORY / program).exists()
    return program in ("pip", "export", "unset", "git", "npm", "npx", "node", "curl", "uv", "cat")


@cache
def makefile() -> str:
    return (REPOSITORY / "Makefile").read_text(encoding="utf-8")


@cache
def usage(module: str) -> str:
    """What --help of a module prints; all of standard Python's are known."""
    if module in sys.stdlib_module_names:
        return "-"
    command = [sys.executable, "-m", module, "--help"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return done.stdout


def tinker_takes(arguments: list[str]) -> bool:
    """Whether every option of a line is one of its command, or of those that contain it."""
    command: click.Command = tinker_command
    context = click.Context(command)
    options = {"--help"}
    while True:
        for parameter in command.get_params(context):
            options.update(parameter.opts + parameter.secondary_opts)
        names = [word for word in arguments if re.fullmatch(r"[a-z][a-z-]+", word)]
        inner = command.get_command(context, names[0]) if isinstance(command, click.Group) and names else None  # fmt: skip
        if inner is None:
            break
        arguments = arguments[arguments.index(names[0]) + 1 :]
        command, context = inner, click.Context(inner, parent=context)
    given = {word.partition("=")[0] for word in arguments if re.match(r"--?[a-z]", word)}
    return not isinstance(command, click.Group) and given <= options
