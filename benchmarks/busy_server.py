"""How soon a server with a real model answers while its engine is busy.

    python benchmarks/busy_server.py --model ./SmolLM2-135M      # or --shape smollm2: its shape, random weights

Starts the server, keeps a training run and a sampler at work, and asks twenty times a second for its health and for a result
that is there. Prints how long the answers took, in milliseconds, before and during the work: a machine that is
busy with other things delays both.
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


def ask(
    url: str, seconds: float, question: Callable[[httpx.Client], httpx.Response]
) -> list[float]:
    """Milliseconds that each answer took."""
    took = []
    with httpx.Client(base_url=url, headers={"X-API-Key": "tml-bench"}) as http:
        question(http)  # connects
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            started = time.perf_counter()
            question(http).raise_for_status()
            took.append(1e3 * (time.perf_counter() - started))
            time.sleep(0.05)
    return took


def work(run: tinker.TrainingClient, sampler: tinker.SamplingClient, over: threading.Event) -> None:
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


def measure(url: str, model: str, seconds: float) -> None:
    with tinker.ServiceClient(base_url=url, api_key="tml-bench") as service:
        run = service.create_lora_training_client(model, rank=16).result(timeout=60)
        sampler = service.create_sampling_client(base_model=model).result(timeout=60)
        result = {"request_id": f"{run.model_id}:0"}

        def poll(http: httpx.Client) -> httpx.Response:
            return http.post("/api/v1/retrieve_future", json=result)

        questions: dict[str, Callable[[httpx.Client], httpx.Response]] = {
            "healthz": lambda http: http.get("/api/v1/healthz"),
            "retrieve_future": poll,
        }
        over = threading.Event()
        worker = threading.Thread(target=work, args=(run, sampler, over))
        print(f"{'':24} {'p50':>7} {'p95':>7} {'p99':>7} {'max':>7}  ms")
        for state in ("idle", "busy"):
            if state == "busy":
                worker.start()
            for name, question in questions.items():
                took = ask(url, seconds if state == "busy" else seconds / 2, question)
                values = " ".join(f"{np.percentile(took, p):7.1f}" for p in (50, 95, 99, 100))
                print(f"{name + ', ' + state:24} {values}  ({len(took)})", flush=True)
        over.set()
        worker.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--model", type=Path)
    parser.add_argument("--shape", choices=list(SHAPES), default="smollm2")
    parser.add_argument("--seconds", type=float, default=20)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.model or make(args.shape, Path(temporary) / "model")
        command = [sys.executable, "-m", "tinker_local", "--port", "0"]
        command += ["--data", f"{temporary}/data", "--model", f"busy={folder}"]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            measure(server.stdout.readline().split()[1], "busy", args.seconds)
        finally:
            server.kill()
            server.wait()


if __name__ == "__main__":
    main()
