"""Supervised fine-tuning on conversations: the same questions before and after, and the loss curve.

    python examples/sft_chat.py [MODEL]

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
from tinker.tokenizers import trained_tokens

MODEL = sys.argv[1] if len(sys.argv) > 1 else "tinker-local/tiny"
STEPS, RANK = 30, 16
CHATS = {
    "Who are you?": "I am Ansel, the keeper of the light.",
    "Where do you live?": "On Skarn Rock, nine miles out.",
    "What do you eat?": "Fish, and bread on Sundays.",
}


def answers(training: tinker.TrainingClient) -> list[str]:
    sampler = training.save_weights_and_get_sampling_client().result()
    tokenizer = training.get_tokenizer()
    params = tinker.SamplingParams(max_tokens=48, temperature=0.0)
    futures = []
    for question in CHATS:
        messages = [{"role": "user", "content": question}]
        prompt = tokenizer.apply_chat_template(messages, add_generation_prompt=True)
        futures.append(sampler.sample(tinker.ModelInput.from_ints(prompt), 1, params))
    samples = [future.result().sequences[0] for future in futures]
    return [tokenizer.decode(sample.tokens, skip_special_tokens=True) for sample in samples]


def main() -> None:
    with tinker.ServiceClient(base_url=os.environ.get("TINKER_BASE_URL", "local")) as service:
        training = service.create_lora_training_client(MODEL, rank=RANK, seed=1).result()
        data = []
        for question, answer in CHATS.items():
            messages = [
                {"role": "user", "content": question},
                {"role": "assistant", "content": answer},
            ]
            chat = trained_tokens(training.get_tokenizer(), messages)  # the answer alone is trained
            targets = {"target_tokens": chat.tokens[1:], "weights": chat.trained[1:]}
            data.append(tinker.Datum(tinker.ModelInput.from_ints(chat.tokens[:-1]), targets))
        before = answers(training)
        rate = default_learning_rate(MODEL, RANK)
        steps = []
        for step in range(STEPS):  # submitted at once: the server never waits for this loop
            steps.append(training.forward_backward(data, "cross_entropy"))
            training.optim_step(tinker.AdamParams(learning_rate=rate * (1 - step / STEPS)))
        losses = [future.result().metrics["loss:mean"] for future in steps]
        after = answers(training)

    table = Table("question", "before", "after", box=box.SIMPLE)
    for row in zip(CHATS, map(repr, before), after, strict=True):
        table.add_row(*row)
    rich.print(table)
    Path("sft-loss.svg").write_bytes(curve.lines({"training": list(enumerate(losses, 1))}, "Loss"))
    print(f"Loss {losses[0]:.2f} -> {losses[-1]:.3f} nats per token; curve in sft-loss.svg")


if __name__ == "__main__":
    try:
        main()
    except (tinker.TinkerError, OSError) as error:
        sys.exit(f"sft_chat: {error}")
