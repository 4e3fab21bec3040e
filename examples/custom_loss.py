"""A loss of your own, in numpy: tokens count until they are likely enough, so the model learns without overconfidence.

    python examples/custom_loss.py [MODEL]

TINKER_BASE_URL names the server; without it, one runs inside this process.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import numpy as np
import rich
from rich import box
from rich.table import Table

import tinker
from tinker.recipes import default_learning_rate

MODEL = sys.argv[1] if len(sys.argv) > 1 else "tinker-local/tiny"
TEXT = "The quick brown fox jumps over the lazy dog."
STEPS, RANK, ENOUGH = 30, 16, np.log(0.8)


def hinge(data: list[tinker.Datum], logprobs: list[Any]) -> tuple[float, dict[str, float], Any]:
    """Σ max(0, log 0.8 - log p): the loss, its metrics, and its gradient by each log-probability."""
    short = [np.maximum(ENOUGH - values, 0.0) for values in logprobs]
    done = np.mean([(values == 0.0).mean() for values in short])
    gradients = [-(values > 0.0).astype(np.float32) for values in short]
    return float(sum(values.sum() for values in short)), {"likely enough": float(done)}, gradients


def probabilities(training: tinker.TrainingClient, data: list[tinker.Datum]) -> Any:
    output = training.forward(data, "cross_entropy").result().loss_fn_outputs[0]
    return np.exp(output["logprobs"].to_numpy()[:-1])  # the last token predicts nothing


def train(training: tinker.TrainingClient, data: list[tinker.Datum], own: bool) -> Any:
    """Train, and return the probability of each token afterwards."""
    adam = tinker.AdamParams(learning_rate=default_learning_rate(MODEL, RANK) / 2)
    for _ in range(STEPS):
        if own:
            training.forward_backward_custom(data, tinker.NumpyLoss(hinge))
        else:
            training.forward_backward(data, "cross_entropy")
        training.optim_step(adam)
    return probabilities(training, data)


def main() -> None:
    with tinker.ServiceClient(base_url=os.environ.get("TINKER_BASE_URL", "local")) as service:
        futures = [service.create_lora_training_client(MODEL, RANK, seed=1) for _ in range(2)]
        runs = [future.result() for future in futures]
        data = [tinker.Datum(tinker.ModelInput.from_text(TEXT, training_client=runs[0]))]
        before = probabilities(runs[0], data)
        after = [train(run, data, own) for run, own in zip(runs, (False, True), strict=True)]
    table = Table("probability", "before", "cross-entropy", "hinge", box=box.SIMPLE)
    edges = np.array([0, 0.1, 0.5, 0.8, 0.9, 0.99, 1.0 + 1e-6])
    counts = [np.histogram(values, edges)[0] for values in (before, *after)]
    for low, high, row in zip(edges, edges[1:], np.transpose(counts), strict=False):
        table.add_row(
            f"{low:g} to {high:.2g}", *(f"{count:2} {'█' * (count // 3)}" for count in row)
        )
    print("Tokens of the text, by the probability that the model gives them")
    rich.print(table)


if __name__ == "__main__":
    try:
        main()
    except tinker.TinkerError as error:
        sys.exit(f"custom_loss: {error}")
