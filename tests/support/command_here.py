"""The `tinker` command inside this process: what it says and its exit status, without the start of a process."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.command import Cli, Ended
from tinker.cli.app import run


class _Pipe(io.TextIOWrapper):
    """A standard stream, with the text that is read from it or was written to it."""

    def __init__(self, text: str = "") -> None:
        super().__init__(io.BytesIO(text.encode()), encoding="utf-8", write_through=True)

    @property
    def text(self) -> str:
        assert isinstance(self.buffer, io.BytesIO)
        return self.buffer.getvalue().decode()


class _Terminal(_Pipe):
    def isatty(self) -> bool:
        return True


class CliHere(Cli):
    """Runs commands against one server, in one folder. In a terminal, `typed` is what a person types there."""

    def __init__(self, url: str, folder: Path, patch: pytest.MonkeyPatch) -> None:
        super().__init__(url, folder)
        self.patch = patch
        patch.setenv("TINKER_BASE_URL", url)
        patch.setenv("HOME", str(folder))
        for name in ("COLUMNS", "NO_COLOR", "FORCE_COLOR"):  # of the terminal that the tests run in
            patch.delenv(name, raising=False)
        patch.chdir(folder)

    def __call__(
        self,
        *arguments: str,
        stdin: str | None = None,
        env: Mapping[str, str] | None = None,
        typed: str | None = None,
    ) -> Ended:
        kind = _Pipe if typed is None else _Terminal
        out, err = kind(), kind()
        with self.patch.context() as patch:
            patch.setattr(sys, "stdin", kind(typed or stdin or ""))
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stderr", err)
            for name, value in (env or {}).items():
                patch.setenv(name, value)
            level = logging.getLogger("tinker").level
            try:
                status = run(arguments)
            finally:
                logging.getLogger("tinker").setLevel(level)  # an interrupted command raises it
        assert "Traceback" not in err.text or "--debug" in arguments, err.text
        return Ended(status, out.text, err.text)

    def ok(self, *arguments: str, stdin: str | None = None, typed: str | None = None) -> Ended:
        ended = self(*arguments, stdin=stdin, typed=typed)
        assert ended.status == 0, ended.stderr
        return ended
