"""The client's side of the benchmarks: one scenario in one process, the same text for every client.

    python benchmarks/client_scenarios.py SCENARIO URL '{"parameter": value, …}'

Prints one line of JSON: the figures. Uses nothing but the public API and what every client needs
anyway. CPU is that of all threads of the process; `peak` is the growth of its resident memory.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Figures = dict[str, Any]


class Meter:
    """What a block of code took."""

    def __init__(self) -> None:
        self.cpu = self.wall = self.peak = 0.0

    @contextmanager
    def running(self) -> Iterator[Meter]:
        before = memory("VmRSS")
        forget_peak()
        cpu, wall = time.process_time(), time.perf_counter()
        yield self
        self.cpu = time.process_time() - cpu
        self.wall = time.perf_counter() - wall
        self.peak = memory("VmHWM") - before


def memory(which: str) -> float:
    """MB of resident memory, now (VmRSS) or at most (VmHWM)."""
    try:
        with open("/proc/self/status") as status:
            line = next(line for line in status if line.startswith(which + ":"))
        return int(line.split()[1]) / 1024
    except OSError:  # not on Linux
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 / 1024


def forget_peak() -> None:
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
    except OSError:
        pass


def service(url: str) -> Any:
    import tinker

    return tinker.ServiceClient(base_url=url, api_key="tml-bench")


def training_client(url: str) -> Any:
    made = service(url).create_lora_training_client(base_model="Qwen/Qwen3-8B", rank=8)
    return made.result()


def sampling_client(url: str) -> Any:
    return service(url).create_sampling_client(base_model="Qwen/Qwen3-8B").result()


# ---- start --------------------------------------------------------------------------------------


def start(url: str) -> Figures:
    """`import tinker`, then to a first training client."""
    wall = time.perf_counter()
    import tinker

    imported, rss = time.perf_counter() - wall, memory("VmRSS")
    assert tinker.__version__.startswith(("0.38.0", "0.40.0"))
    wall = time.perf_counter()
    training_client(url)
    made = time.perf_counter() - wall
    return {
        "import": imported,
        "client": made,
        "both": imported + made,
        "rss": rss,
        "rss with client": memory("VmRSS"),
    }


# ---- training -----------------------------------------------------------------------------------


def arrays(datums: int, tokens: int, loss: str) -> tuple[list[list[int]], dict[str, Any]]:
    """What a training script has in its hands: prompts as lists, and the other inputs of the loss as arrays."""
    import numpy as np

    rng = np.random.default_rng(5)
    # As in text, few tokens are frequent and most are rare; a target is the next token.
    ranks = rng.zipf(1.3, (datums, tokens + 1)) % 150_000
    ids = rng.permutation(150_000)[ranks]
    weights = np.ones((datums, tokens), np.float32)
    weights[:, : tokens // 8] = 0  # the prompt
    columns: dict[str, Any] = {"target_tokens": ids[:, 1:]}
    if loss == "cross_entropy":
        columns["weights"] = weights
    else:
        columns["logprobs"] = -rng.exponential(1.0, weights.shape).astype(np.float32)
        columns["advantages"] = weights * rng.normal(size=(datums, 1)).astype(np.float32)
    return ids[:, :-1].tolist(), columns


def batch(datums: int, tokens: int, kind: str, loss: str) -> Callable[[], list[Any]]:
    """How to build a batch from `arrays`; the building is measured."""
    import tinker
    from tinker import types

    prompts, columns = arrays(datums, tokens, loss)
    if kind == "lists":
        columns = {name: column.tolist() for name, column in columns.items()}
        return lambda: [
            tinker.Datum(
                model_input=tinker.ModelInput.from_ints(prompts[n]),
                loss_fn_inputs={name: column[n] for name, column in columns.items()},
            )
            for n in range(datums)
        ]
    return lambda: [
        tinker.Datum(
            model_input=tinker.ModelInput.from_ints(prompts[n]),
            loss_fn_inputs={
                name: types.TensorData.from_numpy(column[n]) for name, column in columns.items()
            },
        )
        for n in range(datums)
    ]


def forward_backward(
    url: str,
    datums: int,
    tokens: int,
    kind: str = "numpy",
    loss: str = "cross_entropy",
    calls: int = 5,
    cold: bool = False,
) -> Figures:
    """Build, submit, poll, decode, and read one number of each output.

    `cold`: the first call of a process, which pays for the imports of all that it uses.
    """
    client = training_client(url)
    build = batch(datums, tokens, kind, loss)
    if not cold:
        client.forward_backward(batch(2, 8, kind, loss)(), loss).result()
    cpus, walls, peaks = [], [], []
    for _ in range(calls):
        with Meter().running() as meter:
            outputs = client.forward_backward(build(), loss).result().loss_fn_outputs
            assert len(outputs) == datums
            read = [output["logprobs"].to_numpy()[0] for output in outputs]
        del outputs, read
        cpus.append(meter.cpu)
        walls.append(meter.wall)
        peaks.append(meter.peak)
    middle = sorted(cpus)[len(cpus) // 2], sorted(walls)[len(walls) // 2]
    # Later calls find memory that earlier ones have left: the first one shows what a call needs.
    return {"cpu": middle[0], "wall": middle[1], "peak": peaks[0]}


def by_hand(url: str, datums: int, tokens: int) -> Figures:
    """The first `forward_backward` of a program that has only httpx and numpy: the least that any client in Python needs.

    It packs the same arrays into two bodies, sends them, and cuts the two results into arrays, without a check, a
    model of a datum, or a retry.
    """
    import struct

    import httpx
    import numpy as np

    prompts, columns = arrays(datums, tokens, "cross_entropy")
    http = httpx.Client(base_url=url, headers={"X-API-Key": "tml-bench"})
    http.post("/api/v1/create_session", json={})
    with Meter().running() as meter:
        pack = struct.Struct(f"={tokens}i").pack
        promises = []
        for part in np.array_split(np.arange(datums), 2):
            pieces = [b"\x0a\x0bS:train:0:0"]  # field 1, the model; each datum is a field 3
            for n in part.tolist():
                datum = [pack(*prompts[n]), *(column[n].tobytes() for column in columns.values())]
                size = sum(map(len, datum))
                pieces += [
                    b"\x1a",
                    bytes([size & 127 | 128, size >> 7 & 127 | 128, size >> 14]),
                    *datum,
                ]
            promises.append(
                http.post(
                    "/api/v1/forward_backward",
                    content=b"".join(pieces),
                    headers={"Content-Type": "application/x-protobuf"},
                ).json()
            )
        outputs = []
        for promise in promises:
            content = http.post(
                "/api/v1/retrieve_future",
                json=promise,
                headers={"Accept": "application/x-protobuf"},
            ).content
            # Not all of it is numbers, and where they are does not matter for how long it takes.
            numbers = np.frombuffer(content, np.float32, datums // 2 * tokens).copy()
            outputs += [{"logprobs": row} for row in numbers.reshape(-1, tokens)]
        read = [output["logprobs"][0] for output in outputs]
    assert len(read) == datums // 2 * 2
    return {"cpu": meter.cpu}


def growth(url: str, datums: int, tokens: int, calls: int) -> Figures:
    """As `forward_backward`; the memory is what is needed beyond the batch and its results."""
    client = training_client(url)
    build = batch(datums, tokens, "numpy", "cross_entropy")
    client.forward_backward(batch(2, 8, "numpy", "cross_entropy")(), "cross_entropy").result()
    cpus, peaks = [], []
    for _ in range(calls):
        with Meter().running() as building:
            data = build()
        with Meter().running() as meter:
            outputs = client.forward_backward(data, "cross_entropy").result().loss_fn_outputs
            results = sum(tensor.to_numpy().nbytes for out in outputs for tensor in out.values())
        del data, outputs
        cpus.append(building.cpu + meter.cpu)
        peaks.append(meter.peak - results / 2**20)
    return {"cpu": sorted(cpus)[len(cpus) // 2], "peak": max(peaks[0], 0.0)}


def pipelined(url: str, steps: int, seconds: float) -> Figures:
    """Steps of forward_backward and optim_step, submitted together; `seconds` of server time each."""
    import tinker

    client = training_client(url)
    build = batch(1, 64, "numpy", "cross_entropy")
    added = []

    def step() -> None:
        data = build()
        began = time.perf_counter()
        forward = client.forward_backward(data, "cross_entropy")
        optim = client.optim_step(tinker.AdamParams(learning_rate=1e-4))
        forward.result()
        optim.result()
        added.append(time.perf_counter() - began - seconds)

    for _ in range(3):
        step()
    added.clear()
    with Meter().running() as meter:
        for _ in range(steps):
            step()
    return {"cpu": meter.cpu / steps, **quantiles(added)}


def quantiles(values: list[float]) -> Figures:
    ordered = sorted(values)
    return {"p50": ordered[len(ordered) // 2], "p95": ordered[int(len(ordered) * 0.95)]}


def handover(url: str, calls: int, mode: str) -> Figures:
    """From a result's being ready on the server to the caller's having it."""
    client = training_client(url)
    data = batch(1, 64, "numpy", "cross_entropy")()
    late = []

    def note(result: Any) -> None:
        late.append(time.monotonic() - result.metrics["ready:mean"])

    async def in_a_loop() -> None:
        for _ in range(calls):
            note(await client.forward_backward(data, "cross_entropy"))

    if mode == "async":
        asyncio.run(in_a_loop())
    else:
        for _ in range(calls):
            note(client.forward_backward(data, "cross_entropy").result())
    return quantiles(late)


def many_clients(url: str, clients: int, seconds: float) -> Figures:
    """Training clients of one process, each with one step after the other for some seconds."""
    import threading

    shared = service(url)
    made = [shared.create_lora_training_client(base_model="Qwen/Qwen3-8B") for _ in range(clients)]
    trainers = [future.result() for future in made]
    data = batch(8, 512, "numpy", "cross_entropy")()
    steps: list[float] = []

    def train(client: Any) -> None:
        end = time.perf_counter() + seconds
        while (began := time.perf_counter()) < end:
            forward = client.forward_backward(data, "cross_entropy")
            optim = client.optim_step()
            forward.result()
            optim.result()
            steps.append(time.perf_counter() - began)

    threads = [threading.Thread(target=train, args=[client]) for client in trainers]
    with Meter().running() as meter:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return {
        "cpu": meter.cpu / len(steps),
        "per second": len(steps) / meter.wall,
        "peak": meter.peak,
        **quantiles(steps),
    }


# ---- sampling -----------------------------------------------------------------------------------


def sampling(url: str, requests: int, samples: int, pending: float = 0.0) -> Figures:
    """Samples all in flight at once; `pending` is how long each is on the server."""
    import tinker

    client = sampling_client(url)
    rng = random.Random(3)
    prompts = [[rng.randrange(150_000) for _ in range(512)] for _ in range(requests)]
    params = tinker.SamplingParams(max_tokens=64, temperature=1.0)
    if not pending:
        warm = tinker.ModelInput.from_ints(prompts[0])
        for future in [client.sample(warm, samples, params) for _ in range(20)]:
            future.result()
    with Meter().running() as meter:
        futures = [
            client.sample(tinker.ModelInput.from_ints(prompt), samples, params)
            for prompt in prompts
        ]
        for future in futures:
            sequences = future.result().sequences
            assert len(sequences) == samples and len(sequences[0].tokens) == 64
    return {
        "cpu": meter.cpu / requests,
        "wall": meter.wall,
        "per second": requests / meter.wall,
        "peak": meter.peak,
        "beyond": meter.wall - pending,
    }


# ---- management ---------------------------------------------------------------------------------


def checkpoints(url: str, total: int, cold: bool = False) -> Figures:
    """List all checkpoints in pages of 100; `cold`: as the first thing that a process does."""
    client = service(url)
    rest = client.create_rest_client()
    if not cold:
        rest.list_user_checkpoints(limit=1, offset=0).result()
    with Meter().running() as meter:
        seen = 0
        while seen < total:
            page = rest.list_user_checkpoints(limit=100, offset=seen).result()
            seen += len(page.checkpoints)
    return {"wall": meter.wall, "cpu": meter.cpu}


# ---- the embedded server ----------------------------------------------------------------------


def tiny_engine(url: str, tokens: int, steps: int) -> Figures:
    """The embedded server's start, and its steps of forward_backward and optim_step."""
    import subprocess
    import tempfile

    import numpy as np

    import tinker

    began = time.perf_counter()
    command = [sys.executable, "-m", "tinker_local", "--port", "0", "--data"]
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen([*command, folder], stdout=subprocess.PIPE, text=True) as server,
    ):
        try:
            assert server.stdout is not None
            address = server.stdout.readline().split()[1]
            ready = time.perf_counter() - began
            local = service(address)
            client = local.create_lora_training_client("tinker-local/tiny", rank=8).result()
            limit = local.get_server_capabilities().supported_models[0].max_context_length
            length = min(tokens, limit or tokens)
            ids = np.random.default_rng(1).integers(0, 256, (tokens // length, length))
            data = [tinker.Datum(tinker.ModelInput.from_ints(row.tolist())) for row in ids]
            walls = []
            for _ in range(steps):
                began = time.perf_counter()
                forward = client.forward_backward(data, "cross_entropy")
                client.optim_step(tinker.AdamParams(learning_rate=1e-3)).result()
                forward.result()
                walls.append(time.perf_counter() - began)
            local.close().result()
        finally:
            server.terminate()
    return {"ready": ready, "step": sorted(walls)[len(walls) // 2]}


SCENARIOS = {
    function.__name__: function
    for function in (
        *(start, forward_backward, by_hand, growth, pipelined, handover, many_clients),
        *(sampling, checkpoints, tiny_engine),
    )
}

if __name__ == "__main__":
    import warnings

    warnings.simplefilter("ignore")
    _, name, server_url, parameters = sys.argv
    print(json.dumps(SCENARIOS[name](server_url, **json.loads(parameters))), flush=True)
    os._exit(0)  # threads of the official SDK abort the process at times, when the interpreter ends
