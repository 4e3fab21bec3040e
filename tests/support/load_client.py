"""A client under load, in a process of its own that measures itself.

    python -m tests.support.load_client samples URL 10000     says what it has done, and reads a line to go on
    python -m tests.support.load_client steps URL 1000
    python -m tests.support.load_client clients URL 64

The last line is JSON: what the process held `before` the load (after a first one, which fills caches, opens connections and takes from the
system what a process then keeps), at the `peak`, `after` it with the clients open, and when they are `closed`.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tinker
from tinker._protocol import loop

CHUNKS = 8
"""Of a step of `steps`, 128 datums each."""


def held() -> dict[str, float]:
    """What this process holds now."""
    # Twice: what a first collection finalizes may release more.
    for _ in range(2):
        on_the_loop(gc.collect)
    status = Path("/proc/self/status").read_text()
    memory = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return {
        "blocks": sys.getallocatedblocks(),
        "MB": int(memory.split()[1]) / 1024,
        "files": len(os.listdir("/proc/self/fd")),
        "threads": threading.active_count(),
        "tasks": on_the_loop(lambda: len(asyncio.all_tasks())) - 1,  # that one itself
    }


def on_the_loop(function: Callable[[], Any]) -> Any:
    async def call() -> Any:
        return function()

    return asyncio.run_coroutine_threadsafe(call(), loop.get()).result()


def samples(service: tinker.ServiceClient, figures: dict[str, Any]) -> Callable[[int], None]:
    client = service.create_sampling_client(base_model="tinker-local/tiny").result()

    def run(count: int) -> None:
        params = tinker.SamplingParams(max_tokens=1)
        pending = [client.sample(tinker.ModelInput.from_ints([n]), 1, params) for n in range(count)]
        print("submitted", flush=True)
        sys.stdin.readline()  # the server holds them all
        figures["peak"] = held()
        assert client.stats().under_way == count, client.stats()
        print("measured", flush=True)
        assert [list(one.result().sequences[0].tokens) for one in pending] == [[n] for n in range(count)]  # fmt: skip
        del pending
        print("done", flush=True)
        sys.stdin.readline()  # the client has acknowledged all results

    return run


def step(training: tinker.TrainingClient, datums: int) -> list[tinker.APIFuture[Any]]:
    datum = tinker.Datum(tinker.ModelInput.from_ints([1, 2, 3, 4]))
    forward = training.forward_backward([datum] * datums, "cross_entropy")
    return [forward, training.optim_step(tinker.AdamParams())]


def steps(service: tinker.ServiceClient, figures: dict[str, Any]) -> Callable[[int], None]:
    training = service.create_lora_training_client("Qwen/Qwen3-8B").result()

    def run(count: int) -> None:
        under_way: list[tinker.APIFuture[Any]] = []
        for _ in range(count):
            under_way += step(training, CHUNKS * 128)
            if len(under_way) > 8:  # a few steps ahead, as a training loop is
                under_way.pop(0).result()
                under_way.pop(0).result()
        figures["peak"] = held()
        for future in under_way:
            future.result()

    return run


def clients(service: tinker.ServiceClient, figures: dict[str, Any]) -> Callable[[int], None]:
    def run(count: int) -> None:
        services = [tinker.ServiceClient(base_url=service.session.settings.base_url) for _ in range(count)]  # fmt: skip
        made = [one.create_lora_training_client("Qwen/Qwen3-8B") for one in services]
        trainings = [one.result() for one in made]
        futures = [future for _ in range(5) for one in trainings for future in step(one, 2)]
        for future in futures:
            future.result()
        figures["peak"] = held()
        for closing in [one.close() for one in services]:
            closing.result()

    service.create_lora_training_client("Qwen/Qwen3-8B").result()
    return run


def main() -> None:
    scenario, url, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    figures: dict[str, Any] = {"start": held()}
    with tinker.ServiceClient(base_url=url) as service:
        run = {"samples": samples, "steps": steps, "clients": clients}[scenario](service, figures)
        run(count if scenario == "samples" else max(count // 10, 4))
        figures["before"] = held()
        run(count)
        figures["after"] = held()
        stats = service.stats()
    figures["closed"] = held()
    figures["operations"] = {name: one.done for name, one in stats.operations.items()}
    figures["requests"] = {name: one.attempts for name, one in stats.requests.items()}
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
