"""Asynchronous RL: while one batch is trained on, the next is sampled, from slightly older weights.

    python examples/async_rl.py [MODEL]

The loss weighs each token by how likely the newer model would have drawn it. The reward is the share of vowels in a
reply. TINKER_BASE_URL names the server; without it, one runs inside this process.
"""

from __future__ import annotations

import asyncio
import os
import sys

import numpy as np
import rich
from rich import box
from rich.table import Table

import tinker
from tinker.recipes import default_learning_rate

MODEL = sys.argv[1] if len(sys.argv) > 1 else "tinker-local/tiny"
SERVER = os.environ.get("TINKER_BASE_URL", "local")
STEPS, SAMPLES, TOKENS, RANK = 20, 48, 6, 16
PARAMS = tinker.SamplingParams(max_tokens=TOKENS, stop=[])


def datum(prompt: list[int], sample: tinker.SampledSequence, advantage: float) -> tinker.Datum:
    given, logprobs = [0.0] * (len(prompt) - 1), sample.logprobs or []
    inputs = {"target_tokens": prompt[1:] + sample.tokens, "logprobs": given + logprobs}
    inputs["advantages"] = given + [advantage] * len(logprobs)
    return tinker.Datum(tinker.ModelInput.from_ints(prompt + sample.tokens[:-1]), inputs)


async def main() -> None:
    async with tinker.ServiceClient(base_url=SERVER) as service:
        training = await service.create_lora_training_client(MODEL, RANK, seed=1)
        newest = 0, await training.save_weights_and_get_sampling_client()
        tokenizer, rewards, behind = training.get_tokenizer(), [], []
        prompt = tokenizer.encode("Sing: ")
        batches: asyncio.Queue[tuple[int, tinker.SampleResponse]] = asyncio.Queue(maxsize=1)

        async def sample() -> None:  # the size of the queue bounds how far it is behind
            while True:
                version, sampler = newest
                future = sampler.sample(tinker.ModelInput.from_ints(prompt), SAMPLES, PARAMS)
                await batches.put((version, await future))

        sampling = asyncio.create_task(sample())
        adam = tinker.AdamParams(learning_rate=default_learning_rate(MODEL, RANK) / 2)
        table = Table("step", "reward", "steps behind", "KL", "a reply", box=box.SIMPLE)
        for step in range(STEPS):
            version, response = await batches.get()
            texts = [tokenizer.decode(one.tokens) for one in response.sequences]
            scores = np.array([sum(c in "aeiou" for c in text) / TOKENS for text in texts])
            advantages = (scores - scores.mean()) / (scores.std() + 1e-6)
            data = list(map(datum, [prompt] * SAMPLES, response.sequences, advantages))
            losses = training.forward_backward(data, "importance_sampling")
            training.optim_step(adam)
            newest = step + 1, await training.save_weights_and_get_sampling_client()
            rewards.append(scores.mean())
            behind.append(step - version)
            numbers = rewards[-1], behind[-1], (await losses).metrics.get("kl:mean", np.nan)
            shown = "{:.2f} {} {:.3f}".format(*numbers).split()
            table.add_row(str(step + 1), *shown, repr(texts[0]))
        sampling.cancel()
    rich.print(table)
    late = np.count_nonzero(behind)
    print(f"Reward {rewards[0]:.2f} -> {rewards[-1]:.2f}; {late} of {STEPS} batches", end=" ")
    print("were sampled while another was trained on")


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except tinker.TinkerError as error:
        sys.exit(f"async_rl: {error}")
