"""How a program with `base_url="local"` ends: silent, clean and soon, on each Python that is at hand."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tinker_local import LocalServer

START = """
import sys, tinker
service = tinker.ServiceClient(base_url="local")
training = service.create_lora_training_client("tinker-local/tiny", rank=4).result(60)
prompt = tinker.ModelInput.from_ints([1, 2, 3])
def ready():
    print("ready", flush=True)
"""
WAITING = {
    "a custom loss": """
import threading
def loss(data, logprobs):
    ready()
    threading.Event().wait()
training.forward_backward_custom([tinker.Datum(prompt)], tinker.NumpyLoss(loss)).result()
""",
    "a result": """
sampler = training.save_weights_and_get_sampling_client().result(60)
long = sampler.sample(prompt, 64, tinker.SamplingParams(max_tokens=2000, stop=[]))
ready()
long.result()
""",
    "a stream": """
sampler = training.save_weights_and_get_sampling_client().result(60)
for event in sampler.sample_stream(prompt, tinker.SamplingParams(max_tokens=2000, stop=[])):
    ready()
""",
    "nothing": "import signal\nready()\nsignal.pause()\n",
}
ENDS = {
    "after a step": "training.forward_backward([tinker.Datum(prompt)], 'cross_entropy').result(60)",
    "with a block": "with service: training.optim_step()",
    "after a close": "service.close().result(60)",
    "a stream left early": """
sampler = training.save_weights_and_get_sampling_client().result(60)
stream = sampler.sample_stream(prompt, tinker.SamplingParams(max_tokens=200, stop=[]))
next(stream)
""",
    "a sample not waited for": """
sampler = training.save_weights_and_get_sampling_client().result(60)
sampler.sample(prompt, 8, tinker.SamplingParams(max_tokens=500, stop=[]))
""",
    "sys.exit": "sys.exit(0)",
}
SECONDS = 3.0


def interpreters() -> list[str]:
    """This Python; and those named by TINKER_TEST_PYTHONS, in whose environments the package is installed."""
    return [sys.executable, *filter(None, os.environ.get("TINKER_TEST_PYTHONS", "").split(":"))]


def start(python: str, script: str, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [python, "-c", "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n" + script],
        env={**os.environ, "TMPDIR": str(folder), "PYTHONDEVMODE": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip


def wait_until_ready(process: subprocess.Popen[str]) -> float:
    """Returns the seconds that the program has taken to start."""
    began = time.monotonic()
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return time.monotonic() - began


def is_empty_soon(folder: Path) -> bool:
    """The folder is deleted by a process of its own when its owner was killed."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if not list(folder.iterdir()):
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("python", interpreters())
@pytest.mark.parametrize("end", ENDS)
def test_the_end_of_a_program_is_silent(end: str, python: str, tmp_path: Path) -> None:
    with start(python, START + ENDS[end], tmp_path) as process:
        output, errors = process.communicate(timeout=100)
    assert (process.returncode, output, errors) == (0, "", "")
    assert is_empty_soon(tmp_path)


@pytest.mark.parametrize("python", interpreters())
@pytest.mark.parametrize("waiting", WAITING)
def test_ctrl_c_says_nothing_but_its_own(waiting: str, python: str, tmp_path: Path) -> None:
    with start(python, START + WAITING[waiting], tmp_path) as process:
        starting = wait_until_ready(process)
        process.send_signal(signal.SIGINT)
        sent = time.monotonic()
        _, errors = process.communicate(timeout=60)
        took = time.monotonic() - sent
    assert process.returncode == -signal.SIGINT
    lines = errors.rstrip().splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-1] == "KeyboardInterrupt"
    assert errors.count("Traceback") == 1, errors
    assert is_empty_soon(tmp_path)
    # Starting takes longer than ending, so that a busy machine is no excuse.
    assert took < max(SECONDS, 2 * starting)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_signal_leaves_no_folder(number: signal.Signals, tmp_path: Path) -> None:
    with start(sys.executable, START + WAITING["nothing"], tmp_path) as process:
        wait_until_ready(process)
        assert list(tmp_path.iterdir())
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (-number, "")
    assert is_empty_soon(tmp_path)


def test_a_program_that_waits_for_its_children_does_not_wait_for_the_server(tmp_path: Path) -> None:
    assert shutil.which("sh")
    script = START + "import os\ntry:\n    os.wait()\nexcept ChildProcessError:\n    ready()\n"
    with start(sys.executable, script, tmp_path) as process:
        output, errors = process.communicate(timeout=60)
    assert (process.returncode, output, errors) == (0, "ready\n", "")


def test_a_sweep_that_meets_the_end_of_the_program_is_silent(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An embedded server sweeps as it starts; a program may end just then."""
    met = threading.Event()

    async def too_late(*arguments: object) -> None:
        met.set()
        raise RuntimeError("cannot schedule new futures after interpreter shutdown")

    monkeypatch.setattr(asyncio, "to_thread", too_late)
    with LocalServer():
        assert met.wait(10)
    assert caplog.text == ""
