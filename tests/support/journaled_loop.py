"""A training program with a journal that kills itself at a given moment: `python -m tests.support.journaled_loop URL`.

Each line on standard input, a journal, a log and a moment, is one process of that program, forked from this one, which has
imported everything. A line on standard output tells what has become of it: its exit code, -9 if it was killed, and how many
moments it had. A moment is a call of any function of the client, in any of its threads.
"""

from __future__ import annotations

import importlib
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import traceback
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

from attrs import evolve

import tinker

MODEL = "tinker-local/tiny"
STEPS = 5
PRELOADED = (
    "tinker.rest",
    "tinker._codec.json",
    "tinker._codec.protobuf.outputs",
    "tinker._codec.protobuf.requests",
    "tinker._training.checks",
    "tinker._training.journal",
)
CLIENT = str(Path(tinker.__file__).parent)


class Programs:
    """The forks of one such process."""

    def __init__(self, url: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.journaled_loop", url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, journal: Path, log: Path, moment: int = -1) -> tuple[int, int]:
        """Run the program, until that moment if there is one; its exit code, and how many moments it had."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(journal, log, moment, file=self._process.stdin, flush=True)
        code, moments = self._process.stdout.readline().split()
        return int(code), int(moments)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.communicate()


def train(url: str, journal: Path, log: Path) -> None:
    """The program. It says nothing of journals, except for the file and `steps`."""
    with tinker.ServiceClient(base_url=url) as service:
        training = service.create_lora_training_client(
            MODEL, rank=2, seed=7, journal=journal
        ).result(60)
        # A batch is two requests.
        service.session.config = evolve(service.session.config, fwdbwd_max_chunk_len=2)
        training.save_state("begin")
        with log.open("a") as lines:
            for step in training.steps(STEPS):
                passed = training.forward_backward(batch(step), "cross_entropy")
                training.optim_step(tinker.AdamParams(learning_rate=5e-3))
                if step % 2:
                    training.save_state(f"after-{step}")
                print(step, json.dumps(passed.result(60).metrics), file=lines, flush=True)
        training.save_weights_for_sampler("end")
        path = training.save_state("end").result(60).path
        with log.open("a") as lines:
            print("end", path, file=lines)


def batch(step: int) -> list[tinker.Datum]:
    return [
        tinker.Datum(tinker.ModelInput.from_ints(list(f"{step} {text}".encode())))
        for text in ("one", "two", "three")
    ]


def _run(url: str, journal: Path, log: Path, moment: int) -> int:
    """In a fork; how many moments there were."""
    moments = itertools.count(1)

    def count(frame: FrameType, event: str, argument: Any) -> None:
        is_ours = event == "call" and frame.f_code.co_filename.startswith(CLIENT)
        if is_ours and next(moments) == moment:
            os.kill(os.getpid(), signal.SIGKILL)

    threading.setprofile(count)
    sys.setprofile(count)
    train(url, journal, log)
    sys.setprofile(None)
    return next(moments)


def main(url: str) -> None:
    for module in PRELOADED:
        importlib.import_module(module)

    for line in sys.stdin:
        path, log, moment = line.split()
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(reader)
            status = 1
            try:
                os.write(writer, str(_run(url, Path(path), Path(log), int(moment))).encode())
                status = 0
            except BaseException:  # noqa: BLE001  # told, and then as an exit code
                traceback.print_exc()
            finally:
                os._exit(status)
        os.close(writer)
        _, ended = os.waitpid(pid, 0)
        with open(reader, "rb") as told:
            print(os.waitstatus_to_exitcode(ended), int(told.read() or 0), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
