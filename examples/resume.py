"""A run that is cut off, and goes on from its last checkpoint as if nothing had happened: to the last bit.

    python examples/resume.py [MODEL]

TINKER_BASE_URL names the server; without it, one runs inside this process. `tinker train --resume FOLDER` does this for
a run that trains on a file.
"""

from __future__ import annotations

import os
import sys

import rich
from rich import box
from rich.table import Table

import tinker
from tinker.recipes import default_learning_rate

MODEL = sys.argv[1] if len(sys.argv) > 1 else "tinker-local/tiny"
TEXTS = ["One is one.", "Two is two.", "Three is three.", "Four is four.", "Five is five."]
STEPS, SAVE_EVERY, CUT_AT, RANK = 16, 4, 10, 8


def connect() -> tinker.ServiceClient:
    return tinker.ServiceClient(base_url=os.environ.get("TINKER_BASE_URL", "local"))


def train(training: tinker.TrainingClient, first: int, last: int) -> dict[int, float]:
    """Train steps `first` to `last - 1`, with a checkpoint now and then; returns the loss of each."""
    adam, futures = tinker.AdamParams(learning_rate=default_learning_rate(MODEL, RANK)), {}
    for step in range(first, last):
        text = TEXTS[step % len(TEXTS)]  # the data of a step follows from its number alone
        datum = tinker.Datum(tinker.ModelInput.from_text(text, training_client=training))
        futures[step] = training.forward_backward([datum], "cross_entropy")
        training.optim_step(adam)
        if (step + 1) % SAVE_EVERY == 0:
            training.save_state(f"{step + 1:06d}", ttl_seconds=86_400)
    return {step: future.result().metrics["loss:mean"] for step, future in futures.items()}


def main() -> None:
    with connect() as service:
        whole = train(service.create_lora_training_client(MODEL, RANK, seed=1).result(), 0, STEPS)
    with connect() as service:
        training = service.create_lora_training_client(MODEL, RANK, seed=1).result()
        cut = train(training, 0, CUT_AT)
        run = training.model_id  # all that has to be known afterwards

    with connect() as service:  # another session, on another day
        found = service.create_rest_client().list_checkpoints(run).result().checkpoints
        newest = max(found, key=lambda checkpoint: checkpoint.checkpoint_id)
        step = int(newest.checkpoint_id.rpartition("/")[2])
        again = service.create_training_client_from_state_with_optimizer(newest.tinker_path)
        resumed = train(again.result(), step, STEPS)

    table = Table("step", "never cut off", "cut off", "resumed", box=box.SIMPLE)
    for number in range(STEPS):
        losses = (f"{run[number]:.6f}" if number in run else "" for run in (whole, cut, resumed))
        table.add_row(str(number + 1), *losses)
    rich.print(table)
    same = all(resumed[number] == whole[number] for number in resumed)
    print(f"Resumed from {newest.tinker_path}, after step {step}.")
    print(f"The losses are those of the run that was never cut off: {'yes' if same else 'no'}")


if __name__ == "__main__":
    try:
        main()
    except tinker.TinkerError as error:
        sys.exit(f"resume: {error}")
