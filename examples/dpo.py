"""Direct preference optimization on pairs of a better and a worse answer.

    python examples/dpo.py [MODEL]

The loss is `tinker.recipes.dpo`; custom_loss.py shows how to write one. TINKER_BASE_URL names the server; without it,
one runs inside this process.
"""

from __future__ import annotations

import os
import sys

import numpy as np
import rich
from rich import box
from rich.table import Table

import tinker
from tinker.recipes import default_learning_rate, dpo

MODEL = sys.argv[1] if len(sys.argv) > 1 else "tinker-local/tiny"
BETA, STEPS, RANK = 0.2, 16, 16
PAIRS = [  # prompt, the better answer, the worse one
    ("The weather today is ", "sunny.", "bad!!"),
    ("My neighbour is ", "kind.", "loud!"),
    ("This book is ", "a joy.", "dull!!"),
    ("Your idea is ", "good.", "silly!"),
]


def datum(prompt: list[int], answer: list[int]) -> tinker.Datum:
    """The answer's tokens count, and not the prompt's."""
    weights = [0.0] * (len(prompt) - 1) + [1.0] * len(answer)
    inputs = {"target_tokens": prompt[1:] + answer, "weights": weights}
    return tinker.Datum(tinker.ModelInput.from_ints(prompt + answer[:-1]), inputs)


def log_probabilities(training: tinker.TrainingClient, data: list[tinker.Datum]) -> np.ndarray:
    """Of both answers of each pair: [pairs, 2]."""
    outputs = training.forward(data, "cross_entropy").result().loss_fn_outputs
    losses = [np.nansum(output["elementwise_loss"].to_numpy()) for output in outputs]
    return -np.reshape(losses, (-1, 2)).astype(float)


def main() -> None:
    with tinker.ServiceClient(base_url=os.environ.get("TINKER_BASE_URL", "local")) as service:
        training = service.create_lora_training_client(MODEL, RANK, seed=1).result()
        encode = training.get_tokenizer().encode
        data = [datum(encode(p), encode(a)) for p, *answers in PAIRS for a in answers]
        before = log_probabilities(training, data)  # the reference: the model as it was
        adam = tinker.AdamParams(learning_rate=default_learning_rate(MODEL, RANK) / 5)
        futures = []
        for _ in range(STEPS):
            futures.append(training.forward_backward_custom(data, dpo(before, BETA)))
            training.optim_step(adam)
        metrics = [future.result().metrics for future in futures]
        after = log_probabilities(training, data)
    table = Table("prompt", "better", "worse", "likelier by, before", "after", box=box.SIMPLE)
    for pair, one, other in zip(PAIRS, before, after, strict=True):
        table.add_row(*pair, *(f"{better - worse:+.1f} nats" for better, worse in (one, other)))
    rich.print(table)
    first, last = metrics[0], metrics[-1]
    print(f"Loss {first['loss:sum']:.3f} -> {last['loss:sum']:.3f}", end="; ")
    print(f"the better answer has gained in {last['dpo/accuracy']:.0%} of the pairs")


if __name__ == "__main__":
    try:
        main()
    except tinker.TinkerError as error:
        sys.exit(f"dpo: {error}")
