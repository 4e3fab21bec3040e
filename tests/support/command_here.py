"""The `tinker` command inside this process: what it says and its exit status, without the start of a process."""

from __future__ import annotations

import io
import logging
import sys
from pathlib import Path

import pytest

from tests.support.command import Ended
from tinker.cli.app import run


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class CliHere:
    """Runs commands against one server, in one folder. In a terminal, `typed` is what a person types there."""

    def __init__(self, url: str, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder, self.patch = folder, patch
        patch.setenv("TINKER_BASE_URL", url)
        patch.setenv("HOME", str(folder))
        for name in ("COLUMNS", "NO_COLOR", "FORCE_COLOR"):  # of the terminal that the tests run in
            patch.delenv(name, raising=False)
        patch.chdir(folder)

    def __call__(self, *arguments: str, stdin: str = "", typed: str | None = None) -> Ended:
        kind = io.StringIO if typed is None else _Terminal
        out, err = kind(), kind()
        with self.patch.context() as patch:
            patch.setattr(sys, "stdin", kind(stdin if typed is None else typed))
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stderr", err)
            level = logging.getLogger("tinker").level
            try:
                status = run(arguments)
            finally:
                logging.getLogger("tinker").setLevel(level)  # an interrupted command raises it
        return Ended(status, out.getvalue(), err.getvalue())

    def ok(self, *arguments: str, stdin: str = "", typed: str | None = None) -> Ended:
        ended = self(*arguments, stdin=stdin, typed=typed)
        assert ended.status == 0, ended.stderr
        return ended
