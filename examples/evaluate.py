"""Evaluate two models on the same questions, all at once: loss, exact match, and pass@8.

    python examples/evaluate.py [MODEL]

The second is an adapter trained for a moment. TINKER_BASE_URL names the server; without it, one runs inside this process.
"""

from __future__ import annotations

import os
import sys

import numpy as np
import rich
from rich import box
from rich.table import Table

import tinker
from tinker.recipes import default_learning_rate

MODEL = sys.argv[1] if len(sys.argv) > 1 else "tinker-local/tiny"
QUESTIONS = {f"{a} plus {b} is ": f"{a + b}." for a in range(1, 5) for b in range(1, 5)}
LAST, STEPS, RANK = list(QUESTIONS)[-1], 20, 16


def train(training: tinker.TrainingClient) -> tinker.SamplingClient:
    encode, data = training.get_tokenizer().encode, []
    for question, answer in QUESTIONS.items():
        prompt, reply = encode(question), encode(answer)
        weights = [0.0] * (len(prompt) - 1) + [1.0] * len(reply)
        inputs = {"target_tokens": [*prompt[1:], *reply], "weights": weights}
        data.append(tinker.Datum(tinker.ModelInput.from_ints(prompt + reply[:-1]), inputs))
    for _ in range(STEPS):
        training.forward_backward(data, "cross_entropy")
        training.optim_step(tinker.AdamParams(learning_rate=default_learning_rate(MODEL, RANK)))
    return training.save_weights_and_get_sampling_client().result()


def evaluate(model: tinker.SamplingClient) -> tuple[list[float], list[str], list[float]]:
    """Of each question: nats of the right answer, the likeliest reply, the share of 8 samples that is right."""
    tokenizer, asked = model.get_tokenizer(), []
    greedy = tinker.SamplingParams(max_tokens=4, temperature=0.0, stop=["."])
    drawn = tinker.SamplingParams(max_tokens=4, seed=1, stop=["."])
    for question, answer in QUESTIONS.items():  # nothing waits until all of them are under way
        prompt = tinker.ModelInput.from_ints(tokenizer.encode(question))
        whole = tinker.ModelInput.from_ints(tokenizer.encode(question + answer))
        scored = model.compute_logprobs(whole, prompt_logprobs_last_n=whole.length - prompt.length)
        best, several = model.sample(prompt, 1, greedy), model.sample(prompt, 8, drawn)
        asked.append((answer, scored, best, several))
    nats, replies, right = [], [], []
    for answer, scored, best, several in asked:
        nats.append(-sum(filter(None, scored.result())))
        replies.append(tokenizer.decode(best.result().sequences[0].tokens))
        texts = [tokenizer.decode(one.tokens) for one in several.result().sequences]
        right.append(float(np.mean([text == answer for text in texts])))
    return nats, replies, right


def main() -> None:
    with tinker.ServiceClient(base_url=os.environ.get("TINKER_BASE_URL", "local")) as service:
        base = service.create_sampling_client(base_model=MODEL)
        tuned = train(service.create_lora_training_client(MODEL, RANK, seed=1).result())
        models = {"base": base.result(), "tuned": tuned}
        results = {name: evaluate(model) for name, model in models.items()}
    table = Table("model", "loss", "exact match", "pass@1", "pass@8", LAST, box=box.SIMPLE)
    for name, (nats, replies, right) in results.items():
        exact = np.equal(replies, list(QUESTIONS.values())).mean()
        shares = exact, np.mean(right), np.count_nonzero(right) / len(right)
        table.add_row(
            name, f"{np.mean(nats):.2f}", *(f"{n:.0%}" for n in shares), repr(replies[-1])
        )
    rich.print(table)


if __name__ == "__main__":
    try:
        main()
    except tinker.TinkerError as error:
        sys.exit(f"evaluate: {error}")
