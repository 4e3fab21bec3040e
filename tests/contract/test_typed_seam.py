"""A misuse of the contract is a type error before it is a failed request."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

USE = """
from tinker._protocol.connection import Connection
from tinker._protocol.progress import Progress
from tinker_api.api.sessions import finish_session, get_session
from tinker_api.models import (
    ClientSessionFinishSuccess,
    FinishSessionRequest,
    FinishSessionResponse,
    GetSessionResponse,
)


async def right(connection: Connection, body: FinishSessionRequest) -> GetSessionResponse:
    done: FinishSessionResponse = await connection.fetch(
        finish_session.request(session_id="s", body=body), Progress("finish_session")
    )
    assert done
    return await connection.fetch(
        get_session.request(session_id="s", access_scope="owned"), Progress("get_session")
    )


async def wrong(connection: Connection, body: FinishSessionRequest) -> GetSessionResponse:
    get_session.request(session_id="s", acces_scope="owned")  # a misspelled parameter
    finish_session.request(body=body)  # a missing path parameter
    get_session.request(session_id="s", body=body)  # a body for a GET
    return await connection.fetch(
        finish_session.request(session_id="s", body=body),  # the wrong type of result
        Progress("finish_session"),
    )
"""


def test_mypy_finds_each_misuse_of_a_request(repository: Path, tmp_path: Path) -> None:
    file = tmp_path / "use.py"
    file.write_text(USE)
    result = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", str(file)],
        cwd=repository,  # for its settings and cache
        capture_output=True,
        text=True,
        check=False,
    )
    lines = USE.splitlines()
    errors = [line for line in result.stdout.splitlines() if ": error:" in line]
    found = [lines[int(error.split(":")[1]) - 1].partition("# ")[2] for error in errors]
    assert found == [
        "a misspelled parameter",
        "a missing path parameter",
        "a body for a GET",
        "the wrong type of result",
    ], result.stdout + result.stderr
