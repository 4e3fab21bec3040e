"""How soon a server with a real model answers while its engine is busy.

    python benchmarks/busy_server.py --model ./SmolLM2-135M      # or --shape smollm2: its shape, random weights

Starts the server, keeps a training run and a sampler at work, sends it batches of 4 MB, and asks a hundred times a second
for its health and for a result that is there. Prints how long the answers took, in milliseconds, before and during the
work. On Linux, `own` is the time without that for which the kernel let other threads run in place of the two that ask and
answer: on a machine that others use, it is the server's part.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
from real_models import SHAPES, make

import tinker

SECONDS_BETWEEN = 0.01
PERCENTILES = (50, 95, 99, 100)
Question = Callable[[httpx.Client], httpx.Response]


def ask(
    http: httpx.Client, probes: int, question: Question, server: int
) -> list[tuple[float, float]]:
    """Milliseconds that each answer took, with and without the time for which no processor was free."""
    question(http)  # connects
    own_thread, loop = Path("/proc/thread-self/schedstat"), Path(f"/proc/{server}/schedstat")

    def waited() -> float:
        files = [file for file in (own_thread, loop) if file.exists()]
        return sum(int(file.read_text().split()[1]) for file in files) / 1e6

    took = []
    for _ in range(probes):
        before, started = waited(), time.perf_counter()
        question(http).raise_for_status()
        milliseconds = 1e3 * (time.perf_counter() - started)
        took.append((milliseconds, max(0.0, milliseconds - waited() + before)))
        time.sleep(SECONDS_BETWEEN)
    return took


def train_and_sample(
    run: tinker.TrainingClient, sampler: tinker.SamplingClient, over: threading.Event
) -> None:
    rng = np.random.default_rng(0)
    data = [
        tinker.Datum(model_input=tinker.ModelInput.from_ints(rng.integers(3, 290, 128).tolist()))
        for _ in range(8)
    ]
    prompt = tinker.ModelInput.from_ints([5, 6, 7])
    while not over.is_set():
        futures = [
            run.forward_backward(data, "cross_entropy"),
            run.optim_step(tinker.AdamParams()),
            sampler.sample(prompt, 16, tinker.SamplingParams(max_tokens=32, seed=1, stop=[])),
        ]
        for future in futures:
            future.result(timeout=600)


def send_batches(run: tinker.TrainingClient, over: threading.Event) -> None:
    """Large ones, which the engine rejects: what takes time is to receive them."""
    tokens = np.full(4096, 2**31 - 1, np.int32)
    data = [tinker.Datum(model_input=tinker.ModelInput.from_ints(tokens.tolist()))] * 122
    while not over.wait(1):
        try:
            run.forward_backward(data, "cross_entropy").result(timeout=600)
        except tinker.RequestFailedError:
            continue
        raise AssertionError("the engine accepted a token outside the vocabulary")


def measure(url: str, server: int, probes: int) -> None:
    with (
        tinker.ServiceClient(base_url=url, api_key="tml-bench") as service,
        httpx.Client(base_url=url, headers={"X-API-Key": "tml-bench"}) as http,
    ):
        run, other = (
            service.create_lora_training_client("busy", rank=16).result(timeout=60)
            for _ in range(2)
        )
        sampler = service.create_sampling_client(base_model="busy").result(timeout=60)
        result = {"request_id": f"{run.model_id}:0"}
        questions: dict[str, Question] = {
            "healthz": lambda http: http.get("/api/v1/healthz"),
            "retrieve_future": lambda http: http.post("/api/v1/retrieve_future", json=result),
        }
        over = threading.Event()
        workers = [
            threading.Thread(target=train_and_sample, args=(run, sampler, over)),
            threading.Thread(target=send_batches, args=(other, over)),
        ]
        titles = "".join(f"{title:>9}" for title in ("p50", "p95", "p99", "max"))
        print(f"{'milliseconds':24}{titles}   own:{titles}")
        for state in ("idle", "busy"):
            if state == "busy":
                for worker in workers:
                    worker.start()
            for name, question in questions.items():
                took = np.array(
                    ask(http, probes if state == "busy" else probes // 10, question, server)
                )
                whole, own = (
                    "".join(f"{np.percentile(column, p):9.1f}" for p in PERCENTILES)
                    for column in took.T
                )
                print(f"{name + ', ' + state:24}{whole}       {own}   ({len(took)})", flush=True)
        over.set()
        for worker in workers:
            worker.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--model", type=Path)
    parser.add_argument("--shape", choices=list(SHAPES), default="smollm2")
    parser.add_argument("--probes", type=int, default=1000, help="of each kind, while it is busy")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.model or make(args.shape, Path(temporary) / "model")
        command = [sys.executable, "-m", "tinker_local", "--port", "0"]
        command += ["--data", f"{temporary}/data", "--model", f"busy={folder}"]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            measure(server.stdout.readline().split()[1], server.pid, args.probes)
        finally:
            server.kill()
            server.wait()


if __name__ == "__main__":
    main()
