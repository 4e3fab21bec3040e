"""Reinforcement learning with groups (GRPO): sample several replies to a prompt, and train towards the better ones.

    python examples/grpo.py [MODEL]

The reward is the share of different digits. TINKER_BASE_URL names the server; without it, one runs inside this process.
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
PROMPTS = ["My number is ", "Pi is 3.", "The code: "]
STEPS, GROUP, TOKENS, RANK = 15, 16, 8, 16
METRICS = ("kl:mean", "entropy:mean", "clip_fraction:mean")


def reward(text: str) -> float:
    return len(set(text) & set("0123456789")) / max(len(text), TOKENS)


def datum(prompt: list[int], sample: tinker.SampledSequence, advantage: float) -> tinker.Datum:
    """Each token is the target of the one before it; the prompt's own have no advantage."""
    given, logprobs = [0.0] * (len(prompt) - 1), sample.logprobs or []
    inputs = {
        "target_tokens": prompt[1:] + sample.tokens,
        "logprobs": given + logprobs,
        "advantages": given + [advantage] * len(logprobs),
    }
    return tinker.Datum(tinker.ModelInput.from_ints(prompt + sample.tokens[:-1]), inputs)


def main() -> None:
    with tinker.ServiceClient(base_url=os.environ.get("TINKER_BASE_URL", "local")) as service:
        training = service.create_lora_training_client(MODEL, rank=RANK, seed=1).result()
        tokenizer, rewards = training.get_tokenizer(), []
        adam = tinker.AdamParams(learning_rate=default_learning_rate(MODEL, RANK))
        prompts = [tokenizer.encode(prompt) for prompt in PROMPTS]
        table = Table("step", "reward", "KL", "entropy", "clipped", "a reply", box=box.SIMPLE)
        for step in range(1, STEPS + 1):
            sampler = training.save_weights_and_get_sampling_client().result()
            params = tinker.SamplingParams(max_tokens=TOKENS, seed=step)
            inputs = map(tinker.ModelInput.from_ints, prompts)
            futures = [sampler.sample(one, GROUP, params) for one in inputs]
            data, means = [], []
            for prompt, future in zip(prompts, futures, strict=True):
                group = future.result().sequences
                scores = np.array([reward(tokenizer.decode(one.tokens)) for one in group])
                advantages = (scores - scores.mean()) / (scores.std() + 1e-6)
                data += [datum(prompt, *pair) for pair in zip(group, advantages, strict=True)]
                means.append(scores.mean())
            rewards.append(float(np.mean(means)))
            for _ in range(2):  # the second pass is off-policy, which the loss clips
                losses = training.forward_backward(data, "ppo")
                training.optim_step(adam)
            found = [losses.result().metrics.get(name, np.nan) for name in METRICS]
            numbers = [f"{value:.2f}" for value in (rewards[-1], *found)]
            table.add_row(str(step), *numbers, repr(tokenizer.decode(group[0].tokens)))
    rich.print(table)
    picture = curve.lines({"reward": list(enumerate(rewards, 1))}, "Reward", y_title="mean")
    Path("grpo-reward.svg").write_bytes(picture)
    print(f"Reward {rewards[0]:.2f} -> {rewards[-1]:.2f}; curve in grpo-reward.svg")


if __name__ == "__main__":
    try:
        main()
    except tinker.TinkerError as error:
        sys.exit(f"grpo: {error}")
