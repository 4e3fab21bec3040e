"""On-policy distillation: a student writes, a teacher scores each token, and the student learns from the difference.

    python examples/distill.py [MODEL]

The teacher is an adapter trained first; in your work it is a larger model. TINKER_BASE_URL names the server; without
it, one runs inside this process.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import rich
from rich import box
from rich.table import Table

import tinker
from tinker.recipes import curve, default_learning_rate

MODEL = sys.argv[1] if len(sys.argv) > 1 else "tinker-local/tiny"
TEXT = "abcabcabcabcabcabcabcabcabcabc"
STEPS, SAMPLES, TOKENS, RANK = 18, 24, 12, 16


def teach(teacher: tinker.TrainingClient, adam: tinker.AdamParams) -> tinker.SamplingClient:
    data = [tinker.Datum(tinker.ModelInput.from_text(TEXT, training_client=teacher))]
    for _ in range(8):
        teacher.forward_backward(data, "cross_entropy")
        teacher.optim_step(adam)
    return teacher.save_weights_and_get_sampling_client().result()


def main() -> None:
    adam = tinker.AdamParams(learning_rate=default_learning_rate(MODEL, RANK))
    with tinker.ServiceClient(base_url=os.environ.get("TINKER_BASE_URL", "local")) as service:
        teacher = teach(service.create_lora_training_client(MODEL, RANK, seed=1).result(), adam)
        student = service.create_lora_training_client(MODEL, RANK, seed=2).result()
        tokenizer = student.get_tokenizer()
        prompt = tokenizer.encode("abc")
        divergences, replies = [], []
        for step in range(STEPS):
            params = tinker.SamplingParams(max_tokens=TOKENS, stop=[], seed=step)
            sampler = student.save_weights_and_get_sampling_client().result()
            one = sampler.sample(tinker.ModelInput.from_ints(prompt), SAMPLES, params).result()
            whole = [prompt + sample.tokens for sample in one.sequences]
            scores = [teacher.compute_logprobs(tinker.ModelInput.from_ints(ids)) for ids in whole]
            own = np.array([sample.logprobs for sample in one.sequences])
            theirs = np.array([score.result()[len(prompt) :] for score in scores], float)
            divergences.append(float((own - theirs).mean()))
            gains = (theirs - own) + divergences[-1]  # less their mean, which is the same for all
            data, given = [], [0.0] * (len(prompt) - 1)
            for ids, logprobs, gain in zip(whole, own, gains, strict=True):
                inputs = {"target_tokens": ids[1:], "logprobs": [*given, *logprobs]}
                inputs["advantages"] = [*given, *gain]
                data.append(tinker.Datum(tinker.ModelInput.from_ints(ids[:-1]), inputs))
            replies.append(tokenizer.decode(one.sequences[0].tokens))
            student.forward_backward(data, "importance_sampling")
            student.optim_step(adam).result()
    table = Table("step", "KL to the teacher", "the student writes", box=box.SIMPLE)
    for step in range(0, STEPS, 4):
        table.add_row(str(step + 1), f"{divergences[step]:.2f}", repr(replies[step]))
    rich.print(table)
    picture = curve.lines({"student": list(enumerate(divergences, 1))}, "KL to the teacher")
    Path("distill-kl.svg").write_bytes(picture)
    print(
        f"KL {divergences[0]:.2f} -> {divergences[-1]:.2f} nats per token; curve in distill-kl.svg"
    )


if __name__ == "__main__":
    try:
        main()
    except tinker.TinkerError as error:
        sys.exit(f"distill: {error}")
