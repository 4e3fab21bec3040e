"""`python -m tinker_local`: one line when it is ready, one sentence when it cannot be, and a prompt end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.support.raw_client import Raw, forward_backward, optim_step
from tests.support.server_process import ServerProcess
from tinker_local.__main__ import MAX_WARNINGS_A_MINUTE, main
from tinker_local.server import Server


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tinker_local", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path / "data") as server:
        yield server


@pytest.mark.parametrize("package", ["jwt", "httptools"])
def test_a_missing_package_is_told_by_its_name(package: str) -> None:
    program = (
        f"import sys; sys.modules[{package!r}] = None; from tinker_local.__main__ import main; "
        "sys.exit(main(['--port', '0']))"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    told = rf"tinker_local: the server needs the package {package}: pip install .*\[local\].*\n"
    assert re.fullmatch(told, done.stderr), done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_at_once_whatever_is_going_on(
    running: ServerProcess, number: signal.Signals
) -> None:
    assert re.fullmatch(r"http://127\.0\.0\.1:[1-9]\d*", running.url)
    with Raw(running.url) as raw, ThreadPoolExecutor() as threads:
        model_id = raw.model()
        text = "a long text " * 150
        busy = raw.post("forward_backward", forward_backward(model_id, 1, *[text] * 64))
        waiting = [raw.post("optim_step", optim_step(model_id, n)) for n in (2, 3)]
        polls = [threads.submit(raw.poll, promise) for promise in (busy, *waiting)]
        # The engine is at work, and the polls are open: this one is behind them on the event loop.
        raw.get("healthz")
        assert running.stop(number, seconds=2) == 0
        for poll in polls:
            with contextlib.suppress(httpx.TransportError):  # if it had not been sent yet
                assert poll.result().json()["type"] == "try_again"
    assert running.rest_of_stdout() == ""
    assert running.log.read_text() == ""


def test_what_was_going_on_goes_on_at_the_next_start(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with ServerProcess(data) as server, Raw(server.url) as raw:
        model_id = raw.model()
        promise = raw.post("forward_backward", forward_backward(model_id, 1, "text " * 100))
        step = raw.post("optim_step", optim_step(model_id, 2))
        assert server.stop() == 0
    with ServerProcess(data) as server, Raw(server.url) as raw:
        assert raw.result(promise)["type"] == "forward_backward"
        assert raw.result(step)["metrics"]["unclipped_grad_l2:mean"] > 0


def test_the_log_of_requests_goes_to_stderr(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "data", "--verbose") as server, Raw(server.url) as raw:
        raw.session()
        assert server.stop() == 0
        assert server.rest_of_stdout() == ""
        assert "POST /api/v1/create_session" in server.log.read_text()


def test_help() -> None:
    answer = run("--help")
    assert answer.returncode == 0
    for option in ("--host", "--port", "--data", "--keys", "--fault", "drop=after"):
        assert option in answer.stdout


def refused(*arguments: str) -> str:
    """The one line on stderr."""
    answer = run(*arguments)
    assert answer.returncode in (1, 2)
    assert answer.stdout == ""
    (line,) = answer.stderr.splitlines()
    assert line.startswith("tinker_local: ")
    return line.removeprefix("tinker_local: ")


@pytest.mark.parametrize("port", ["70000", "-1", "http", "8000.5", ""])
def test_an_invalid_port(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([f"--port={port}"])
    assert ended.value.code == 2
    expected = f"tinker_local: argument --port: {port!r} is not a port from 0 to 65535\n"
    assert capsys.readouterr() == ("", expected)


def test_an_invalid_fault() -> None:
    why = refused("--fault", "optim_stop:drop=before")
    assert why.endswith("the contract has no operation 'optim_stop'")


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        why = refused("--port", str(port), "--data", str(tmp_path))
    assert why == f"cannot listen on 127.0.0.1:{port}: Address already in use"


def test_a_host_that_does_not_exist(tmp_path: Path) -> None:
    why = refused("--host", "nowhere.invalid", "--port", "0", "--data", str(tmp_path))
    assert why.startswith("cannot listen on nowhere.invalid:0: ")
    assert "Unknown error" not in why


def test_a_file_where_a_folder_should_be(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    assert refused("--data", str(file)).startswith(f"cannot use {file}: ")
    assert refused("--data", str(file / "below")).startswith(f"cannot use {file}")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere: run it as another user")
def test_a_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert "Permission denied" in refused("--data", str(tmp_path / "data"))


def test_a_folder_with_something_else_in_it(tmp_path: Path) -> None:
    (tmp_path / "state.sqlite").write_text(
        "this is no database, and long enough to be seen as none"
    )
    assert f"{tmp_path / 'state.sqlite'} cannot be used" in refused("--data", str(tmp_path))


def test_a_folder_with_no_room_for_the_database(tmp_path: Path) -> None:
    (tmp_path / "state.sqlite").mkdir()
    assert f"{tmp_path / 'state.sqlite'} cannot be used" in refused("--data", str(tmp_path))


def test_a_folder_that_is_used(running: ServerProcess, tmp_path: Path) -> None:
    why = refused("--data", str(tmp_path / "data"), "--port", "0")
    assert why.startswith(f"{tmp_path / 'data'} is used by another server: stop that one, or")


def test_an_invalid_keys_file(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text("tml-a\nsecret\n")
    why = refused("--data", str(tmp_path / "data"), "--keys", str(keys))
    assert why.startswith(f"{keys}, line 2: ")
    assert "secret" not in why


def test_a_host_that_calls_it_keeps_its_own_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The limit on repeated warnings is for the server's own handler."""
    (tmp_path / "notes.txt").write_text("mine")
    assert main(["--data", str(tmp_path)]) == 1
    for number in range(2 * MAX_WARNINGS_A_MINUTE):
        logging.getLogger("host").warning("warning %s", number)
    assert len(caplog.messages) == 2 * MAX_WARNINGS_A_MINUTE


def test_a_signal_while_the_server_starts_stops_it(tmp_path: Path) -> None:
    server = Server(tmp_path)
    server.stop()
    asyncio.run(asyncio.wait_for(server.serve(lambda: None), 30))
    with httpx.Client() as http, pytest.raises(httpx.ConnectError):
        http.get(server.url)
