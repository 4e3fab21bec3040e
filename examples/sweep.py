"""A sweep: several runs at once in one session, with other learning rates and ranks, and the best of them.

    python examples/sweep.py [MODEL]

TINKER_BASE_URL names the server; without it, one runs inside this process.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import rich
from rich import box
from rich.table import Table

import tinker
from tinker.recipes import curve, default_learning_rate

MODEL = sys.argv[1] if len(sys.argv) > 1 else "tinker-local/tiny"
TEXTS = ["The light is lit.", "The sea is calm.", "The door is shut.", "The night is long."]
HELD_OUT = ["The light is calm.", "The sea is long."]
STEPS = 12
SCALES, RANKS = (0.1, 1.0, 4.0), (4, 32)


def main() -> None:
    with tinker.ServiceClient(base_url=os.environ.get("TINKER_BASE_URL", "local")) as service:
        rates = {rank: default_learning_rate(MODEL, rank) for rank in RANKS}
        settings = [(scale * rates[rank], rank) for scale in SCALES for rank in RANKS]
        futures = [service.create_lora_training_client(MODEL, rank, seed=1) for _, rank in settings]
        runs = [future.result() for future in futures]

        def data(texts: list[str]) -> list[tinker.Datum]:
            tokenize = tinker.ModelInput.from_text
            return [tinker.Datum(tokenize(text, training_client=runs[0])) for text in texts]

        train, held_out = data(TEXTS), data(HELD_OUT)
        steps, tests = [], []
        for run, (rate, _) in zip(
            runs, settings, strict=True
        ):  # all are under way before one is awaited
            submitted = []
            for _ in range(STEPS):
                submitted.append(run.forward_backward(train, "cross_entropy"))
                run.optim_step(tinker.AdamParams(learning_rate=rate))
            steps.append(submitted)
            tests.append(run.forward(held_out, "cross_entropy"))
        curves = [[future.result().metrics["loss:mean"] for future in futures] for futures in steps]
        scores = [future.result().metrics["loss:mean"] for future in tests]

    best = min(range(len(settings)), key=scores.__getitem__)
    table = Table("learning rate", "rank", "loss at first", "at last", "held out", box=box.SIMPLE)
    for number, ((rate, rank), losses) in enumerate(zip(settings, curves, strict=True)):
        numbers = (f"{value:.3f}" for value in (losses[0], losses[-1], scores[number]))
        table.add_row(f"{rate:g}", str(rank), *numbers, style="bold" if number == best else None)
    rich.print(table)
    names = [f"{rate:g}, rank {rank}" for rate, rank in settings]
    points = [list(enumerate(losses, 1)) for losses in curves]
    picture = curve.lines(dict(zip(names, points, strict=True)), "Loss of six runs")
    Path("sweep.svg").write_bytes(picture)
    rate, rank = settings[best]
    print(f"Best on held-out text: learning rate {rate:g}, rank {rank}; curves in sweep.svg")


if __name__ == "__main__":
    try:
        main()
    except tinker.TinkerError as error:
        sys.exit(f"sweep: {error}")
