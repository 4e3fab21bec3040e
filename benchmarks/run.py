"""Compare this client with the official SDK, side by side on this machine.

    python benchmarks/run.py             all scenarios, under ten minutes; writes benchmarks/RESULTS.md
    python benchmarks/run.py --smoke     each scenario once and tiny; writes nothing
    python benchmarks/run.py NAME …      only scenarios whose name contains one of these; writes nothing

Each run of a scenario is a process of its own (`client_scenarios.py`), the same program in both
environments; runs of the two clients take turns. The server (`server.py`) is another process. Figures
are medians over the runs; what counts is the ratio, because machines differ.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import environments
from attrs import define, field, frozen

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "RESULTS.md"
UNITS = {"ms": 1e3, "µs": 1e6}


@frozen
class Figure:
    """One number of a scenario, and what this client's share of the official SDK's is to be."""

    key: str
    title: str
    unit: str = "ms"
    reach: str = ""
    """`≤ 0.5` of the official figure, `≥ 3` times it, `≤ 120 ms` by itself, or nothing to reach."""


@frozen
class Scenario:
    title: str
    function: str
    figures: list[Figure]
    arguments: dict[str, Any] = field(factory=dict)
    knobs: dict[str, Any] = field(factory=dict)
    tiny: dict[str, Any] = field(factory=dict)
    """Arguments of the smoke run."""
    runs: int = 3
    alone: bool = False
    """Whether only this client is measured."""
    embedded: bool = False
    """Whether it brings the embedded server, whose packages are not among those of a client."""


def cpu(reach: str = "≤ 0.5", title: str = "CPU") -> Figure:
    return Figure("cpu", title, reach=reach)


def peak(reach: str = "") -> Figure:
    return Figure("peak", "RSS above idle", "MB", reach)


BYTES = [Figure("bytes out", "sent", "MB", "≤ 1"), Figure("bytes in", "received", "MB", "≤ 1")]
WITHOUT_REACH = [Figure("bytes out", "sent", "MB"), Figure("bytes in", "received", "MB")]
ENCODINGS = {"JSON": {"protobuf": False}, "protobuf": {}, "protobuf + zstd": {"zstd": True}}
POLLS = Figure("polls", "polls", "")
LATENCY = [Figure("p50", "p50", reach="≤ 0.5"), Figure("p95", "p95", reach="≤ 0.5")]
PIPELINED = [Figure("p50", "p50", reach="≤ 0.4"), Figure("p95", "p95", reach="≤ 0.4")]
RL = "importance_sampling"
GROWTH_OF_CPU = Figure("cpu a token", "CPU of each 1,000 tokens beyond a call of 1,024", "µs")


def batch(
    title: str,
    datums: int,
    tokens: int,
    figures: list[Figure],
    *,
    knobs: dict[str, Any] | None = None,
    alone: bool = False,
    **arguments: Any,
) -> Scenario:
    # So many that the median is not one of the first three, which find no memory that earlier calls have left, and in
    # which garbage collections walk over the numbers of the script's lists for the first times.
    arguments = {"datums": datums, "tokens": tokens, "calls": 7, **arguments}
    tiny = {"datums": 4, "calls": 1}
    knobs = {"tokens": tokens, **(knobs or {})}
    return Scenario(title, "forward_backward", figures, arguments, knobs, tiny, alone=alone)


SCENARIOS = [
    Scenario(
        "start",
        "start",
        [
            Figure("import", "import tinker", reach="≤ 5 ms"),
            Figure("both", "import and first TrainingClient", reach="≤ 0.3"),
            Figure("client", "first TrainingClient after the import"),
            Figure("rss", "RSS after the import", "MB", "≤ 0.7"),
            Figure("rss with client", "RSS with a TrainingClient", "MB"),
        ],
        runs=7,
    ),
    batch(
        "forward_backward 128x4096, numpy", 128, 4096,
        [cpu("≤ 0.35"), Figure("wall", "wall"), peak("≤ 0.5"), *BYTES, POLLS],
    ),
    batch("forward_backward 128x4096, lists", 128, 4096, [cpu("≤ 0.35"), Figure("wall", "wall")], kind="lists"),
    batch("forward_backward 1024x512, numpy", 1024, 512, [cpu("≤ 0.4"), Figure("wall", "wall")]),
    batch(
        "forward_backward 1024x512, RL, numpy", 1024, 512, [cpu("≤ 0.4"), Figure("wall", "wall"), *BYTES], loss=RL
    ),
    batch(
        "forward_backward 128x4096, numpy, first call of a process", 128, 4096, [cpu("≤ 0.6")], calls=1,
        cold=True,
    ),
    batch(
        "forward_backward 1024x512, numpy, first call of a process", 1024, 512, [cpu("≤ 0.6")], calls=1,
        cold=True,
    ),
    batch(
        "forward_backward 1024x512, RL, numpy, first call of a process", 1024, 512, [cpu("≤ 0.6")], calls=1,
        cold=True, loss=RL,
    ),
    *(
        Scenario(
            f"forward_backward {datums}x{tokens}, numpy, first call of a process, by hand with httpx and numpy",
            "by_hand", [cpu("")], {"datums": datums, "tokens": tokens}, {"tokens": tokens}, {"datums": 4}, alone=True,
        )
        for datums, tokens in [(128, 4096), (1024, 512)]
    ),
    batch(
        "forward_backward 128x4096, numpy, zstd", 128, 4096, [cpu(""), Figure("wall", "wall"), *BYTES],
        knobs={"zstd": True},
    ),
    Scenario(
        "100 pipelined steps, 20 ms of server time each", "pipelined",
        [*PIPELINED, cpu(title="CPU a step"), POLLS],
        {"steps": 100, "seconds": 0.02}, {"seconds": 0.01}, {"steps": 3},
    ),
    Scenario(
        "result ready → in the caller's hands, sync", "handover", LATENCY,
        {"calls": 200, "mode": "sync"}, {"seconds": 0.005}, {"calls": 3},
    ),
    Scenario(
        "result ready → in the caller's hands, async", "handover", LATENCY,
        {"calls": 200, "mode": "async"}, {"seconds": 0.005}, {"calls": 3},
    ),
    Scenario(
        "2,000 samples in flight, 1 sample each", "sampling",
        [Figure("per second", "per second", "", "≥ 3"), cpu("≤ 0.12", "CPU each"), peak(), *BYTES, POLLS,
         Figure("connections", "connections", "")],
        {"requests": 2000, "samples": 1}, {}, {"requests": 20},
    ),
    Scenario(
        "1,000 samples in flight, 16 samples each", "sampling",
        [Figure("per second", "per second", "", "≥ 3"), cpu("≤ 0.3", "CPU each"), peak(), *BYTES],
        {"requests": 1000, "samples": 16}, {}, {"requests": 10},
    ),
    Scenario(
        "2,000 samples pending 5 s on the server", "sampling",
        [cpu("≤ 0.3", "CPU each"), peak("≤ 0.4"), Figure("beyond", "time beyond the 5 s", reach="≤ 0.3"),
         POLLS, Figure("connections", "connections", "")],
        {"requests": 2000, "samples": 1, "pending": 5.0}, {"sample_seconds": 5.0},
        {"requests": 20}, runs=2,
    ),
    Scenario(
        "listing 5,000 checkpoints, 100 a page", "checkpoints",
        [Figure("wall", "wall", reach="≤ 0.5"), cpu("")],
        {"total": 5000}, {"checkpoints": 5000}, {"total": 100},
    ),
    Scenario(
        "listing 5,000 checkpoints, first call of a process", "checkpoints",
        [Figure("wall", "wall"), cpu("≤ 0.4")],
        {"total": 5000, "cold": True}, {"checkpoints": 5000}, {"total": 100},
    ),
    *(
        Scenario(
            f"{datums * tokens:,} tokens a call ({datums}x{tokens})", "growth",
            [cpu("", "CPU"), GROWTH_OF_CPU, Figure("peak", "RSS beyond the batch and its results", "MB")],
            {"datums": datums, "tokens": tokens, "calls": calls}, {"tokens": tokens},
            {"datums": min(datums, 4), "calls": 1},
        )
        for datums, tokens, calls in
        [(1, 1024, 25), (8, 1024, 25), (64, 1024, 9), (128, 4096, 5), (512, 4096, 3), (2048, 4096, 3)]
    ),
    *(
        batch(
            f"forward_backward 128x4096, numpy, this client in {name}", 128, 4096,
            [cpu("", "CPU"), Figure("wall", "wall"), *WITHOUT_REACH], knobs=knobs, alone=True,
        )
        for name, knobs in ENCODINGS.items()
    ),
    *(
        Scenario(
            f"1,000 samples in flight, 16 samples each, this client in {name}", "sampling",
            [cpu("", "CPU each"), *WITHOUT_REACH], {"requests": 1000, "samples": 16}, knobs,
            {"requests": 10}, alone=True,
        )
        for name, knobs in list(ENCODINGS.items())[:2]
    ),
    *(
        Scenario(
            f"{clients} training clients in one process, steps of 8x512 and 20 ms", "many_clients",
            [Figure("per second", "steps a second", ""), cpu("", "CPU a step"), Figure("p95", "p95 of a step"),
             Figure("longest silence", "longest silence between heartbeats", "s"), peak()],
            {"clients": clients, "seconds": seconds}, {"tokens": 512, "seconds": 0.01},
            {"seconds": 0.1}, runs=1, alone=True,
        )
        for clients, seconds in [(1, 2.0), (8, 2.0), (64, 21.0)]
    ),
    Scenario(
        "embedded server, 1,024 tokens", "tiny_engine",
        [Figure("ready", "start to ready", reach="≤ 1000 ms"),
         Figure("step", "forward_backward and optim_step", reach="≤ 120 ms")],
        {"tokens": 1024, "steps": 20}, {}, {"steps": 2}, alone=True, embedded=True,
    ),
]  # fmt: skip


# ---- running ------------------------------------------------------------------------------------


@contextmanager
def server(python: Path) -> Iterator[str]:
    command = [str(python), str(HERE / "server.py")]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=clean_environment(), **pipes) as process:
        assert process.stdin is not None and process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()


def clean_environment() -> dict[str, str]:
    """Without what would change a client's behaviour or where it is imported from."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith(("TINKER_", "PYTHON"))
        and not name.lower().endswith("_proxy")
    }


def control(url: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(f"{url}/bench/{path}", data=data) as answer:
        counted: dict[str, Any] = json.load(answer)
    return counted


def run_once(python: Path, url: str, scenario: Scenario, smoke: bool) -> dict[str, Any]:
    arguments = scenario.arguments | (scenario.tiny if smoke else {})
    knobs = dict(scenario.knobs)
    if smoke and "pending" in arguments:
        arguments["pending"] = knobs["sample_seconds"] = 0.1
    control(url, "knobs", knobs)
    command = [str(python), str(HERE / "client_scenarios.py"), scenario.function, url]
    done = subprocess.run(
        [*command, json.dumps(arguments)], env=clean_environment(), capture_output=True, text=True,
        timeout=300, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(
            f"{scenario.title}: {python} ended with {done.returncode}:\n{done.stderr[-3000:]}"
        )
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    counts = control(url, "counts")
    calls = arguments["calls"] if scenario.function == "forward_backward" else 1
    for name in ("bytes out", "bytes in"):
        figures[name] = counts.get(name, 0) / calls / 1e6
    for name in ("polls", "connections", "requests", "longest silence"):
        figures[name] = counts.get(name, 0)
    if scenario.function == "growth":
        figures["tokens"] = arguments["datums"] * arguments["tokens"]
    return figures


@define
class Comparison:
    scenario: Scenario
    ours: dict[str, float] = field(factory=dict)
    official: dict[str, float] = field(factory=dict)

    def rows(self) -> Iterator[list[str]]:
        for figure in self.scenario.figures:
            ours, theirs = self.ours.get(figure.key), self.official.get(figure.key)
            if ours is None:
                continue
            ratio = ours / theirs if theirs else None
            yield [
                self.scenario.title, figure.title, show(theirs, figure.unit), show(ours, figure.unit),
                "" if ratio is None else f"{ratio:.2f}", figure.reach,
                verdict(ratio, ours * UNITS.get(figure.unit, 1), figure.reach),
            ]  # fmt: skip


def show(value: float | None, unit: str) -> str:
    if value is None:
        return "-"
    value *= UNITS.get(unit, 1)
    text = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{text} {unit}".strip()


def verdict(ratio: float | None, value: float, reach: str) -> str:
    sign, bound, *unit = reach.split() or ("", "")
    measured = value if unit else ratio
    if measured is None or not reach:
        return ""
    # Bytes and the like are equal up to a header.
    good = measured <= float(bound) * 1.005 if sign == "≤" else measured >= float(bound)
    return "reached" if good else "not reached"


def compare(scenario: Scenario, pythons: dict[str, Path], url: str, smoke: bool) -> Comparison:
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in pythons}
    for number in range(1 if smoke else scenario.runs):
        order = list(pythons) if number % 2 else list(pythons)[::-1]
        for name in order:
            if name == "official" and scenario.alone:
                continue
            python = Path(sys.executable) if scenario.embedded else pythons[name]
            runs[name].append(run_once(python, url, scenario, smoke))
    result = Comparison(scenario)
    for name, measured in runs.items():
        if measured:
            keys = measured[0].keys()
            medians = {key: statistics.median(m[key] for m in measured) for key in keys}
            setattr(result, name, medians)
    return result


def add_growth(results: list[Comparison]) -> None:
    """What a token costs beyond the fixed part of a call, which is that of the smallest one."""
    of_growth = [result for result in results if result.scenario.function == "growth"]
    for smallest, result in ((of_growth[0], other) for other in of_growth[1:]):
        for name in ("ours", "official"):
            least, figures = getattr(smallest, name), getattr(result, name)
            if figures and (tokens := figures["tokens"] - least["tokens"]):
                figures["cpu a token"] = (figures["cpu"] - least["cpu"]) / tokens * 1000


# ---- telling ------------------------------------------------------------------------------------

HEADER = ["scenario", "figure", "official", "ours", "ours ÷ official", "reach", ""]


def table(rows: list[list[str]], header: list[str]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def machine() -> str:
    model = platform.processor() or platform.machine()
    try:
        text = Path("/proc/cpuinfo").read_text()
        model = next(x for x in text.splitlines() if x.startswith("model name")).split(": ")[1]
    except (OSError, StopIteration):
        pass
    return (
        f"{model}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"
    )


def versions(python: Path) -> str:
    code = (
        "import importlib.metadata as m;"
        "print(', '.join(f'{n} {m.version(n)}' for n in"
        " ['tinker','httpx','httptools','numpy','orjson','protobuf','pyqwest','pydantic']"
        " if any(d.name==n for d in m.distributions())))"
    )
    done = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def sizes() -> list[str]:
    ours, theirs = environments.sizes()
    ratio = ours / theirs
    figures = [show(theirs, "MB"), show(ours, "MB"), f"{ratio:.2f}"]
    return [
        "installed", "client and dependencies", *figures, "≤ 0.3", verdict(ratio, ours, "≤ 0.3")
    ]  # fmt: skip


def targets(rows: list[list[str]]) -> str:
    """How many targets are reached, and which are not."""
    verdicts = [row[-1] for row in rows if row[-1]]
    missed = [f"{row[0]}: {row[1]}" for row in rows if row[-1] == "not reached"]
    count = f"{len(verdicts) - len(missed)} of {len(verdicts)} targets are reached."
    return f"{count} Not reached: {'; '.join(missed)}." if missed else count


def libraries(smoke: bool) -> str:
    """The table of what each hand-written part gains over the libraries."""
    python = environments.libraries()
    command = [str(python), str(HERE / "libraries.py"), *(["--smoke"] if smoke else [])]
    environment = clean_environment()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"libraries.py failed:\n{done.stderr[-3000:]}")
    return done.stdout


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--alone", action="store_true", help="without the official SDK")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    began = time.monotonic()
    pythons = {"ours": environments.ours()}
    if not options.alone:
        pythons["official"] = environments.official()
    chosen = [
        scenario
        for scenario in SCENARIOS
        if not options.names or any(name in scenario.title for name in options.names)
    ]
    results: list[Comparison] = []
    # The server's own packages are no part of what a client needs.
    with server(Path(sys.executable)) as url:
        for scenario in chosen:
            results.append(compare(scenario, pythons, url, options.smoke))
            add_growth(results)
            for row in results[-1].rows():
                print("  ".join(cell for cell in row if cell), flush=True)
    if options.names:
        return
    rows = [row for result in results for row in result.rows()]
    text = table(rows, HEADER) + "\n"
    if "official" in pythons:
        rows.insert(len(SCENARIOS[0].figures), sizes())
        text = table(rows, HEADER) + "\n\n" + libraries(options.smoke)
    seconds = time.monotonic() - began
    print(f"\n{text}\n{seconds:.0f} s")
    if not options.smoke and not options.alone:
        RESULTS.write_text(
            "# This client and the official SDK, measured\n\n"
            f"Written by `make bench` on {datetime.date.today()} in {seconds / 60:.0f} minutes. {machine()};"
            " the machine may be shared.\n\n"
            + "".join(f"- {name}: {versions(python)}\n" for name, python in pythons.items())
            + "\nMedians of runs that take turns; CPU is that of the whole client process, all threads."
            " `reach` is what this client's share of the official SDK's figure is to be, or its own figure."
            " What the figures mean, and where the rest of the time goes: [README.md](README.md).\n\n"
            f"{targets(rows)}\n\n" + text
        )


if __name__ == "__main__":
    main()
