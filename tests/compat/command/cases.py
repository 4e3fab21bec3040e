"""Runs command lines one after the other in this process; reports `{command line: [exit status, stdout]}`.

    python cases.py < {"url": …, "home": …, "cases": [[words, stdin], …]}

Both packages have `tinker.cli.__main__.main`, which their console script calls.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import sys
from contextlib import redirect_stderr, redirect_stdout


def ended(words: list[str], stdin: str) -> tuple[int, str]:
    main = importlib.import_module("tinker.cli.__main__").main
    sys.argv, sys.stdin = ["tinker", *words], io.StringIO(stdin)
    printed, status = io.StringIO(), 0
    with redirect_stdout(printed), redirect_stderr(io.StringIO()):
        try:
            main()
        except SystemExit as end:
            status = int(end.code or 0)
    return status, printed.getvalue()


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    os.environ |= {
        "HOME": asked["home"],
        "TINKER_BASE_URL": asked["url"],
        "TINKER_API_KEY": "tml-x",
        "COLUMNS": "400",
    }
    os.chdir(asked["home"])
    print(json.dumps([ended(*case) for case in asked["cases"]]))
