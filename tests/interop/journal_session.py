"""A training program with a journal, which kills itself in a step or goes on to its end.

    python -m tests.interop.journal_session URL MODEL JOURNAL [STEP]

It prints a line of JSON, `[step, logprobs]`, for each result that it gets.
"""

from __future__ import annotations

import json
import os
import signal
import sys

import tinker

STEPS = 6


def batch(step: int) -> list[tinker.Datum]:
    return [tinker.Datum(tinker.ModelInput.from_ints([7 + step, 8, 9, 10 + step, 11, 12]))]


def main(url: str, model: str, journal: str, killed_at: int = -1) -> None:
    with tinker.ServiceClient(base_url=url) as service:
        training = service.create_lora_training_client(
            model, rank=8, seed=1, journal=journal
        ).result(timeout=300)
        for step in training.steps(STEPS):
            passed = training.forward_backward(batch(step), "cross_entropy")
            training.optim_step(tinker.AdamParams(learning_rate=1e-2))
            if step % 2 == 1:
                training.save_state(f"step-{step + 1}").result(timeout=300)
            outputs = passed.result(timeout=300).loss_fn_outputs
            print(json.dumps([step, outputs[0]["logprobs"].tolist()]), flush=True)
            if step == killed_at:
                os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], *map(int, sys.argv[4:]))
