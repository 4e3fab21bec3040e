"""Teach a model the colours of pictures, then ask it about pictures that it has not seen. Needs Pillow.

python examples/vision.py [MODEL]    # one that sees, on the server that TINKER_BASE_URL names
"""

from __future__ import annotations

import io
import os
import random
import sys

from PIL import Image, ImageOps

import tinker
from tinker.recipes import default_learning_rate
from tinker.types import EncodedTextChunk, ImageChunk

MODEL = sys.argv[1] if len(sys.argv) > 1 else "tinker-local/tiny"
QUESTION = " Its colour: "
COLOURS = {"red": (200, 40, 40), "green": (40, 160, 60), "blue": (40, 70, 200)}
EXAM, STEPS, EACH, RANK = 10, 24, 4, 16  # each step trains on EACH pictures of each colour


def picture(colour: tuple[int, int, int], chance: random.Random) -> bytes:
    """A PNG file, in a shade of the colour that grows darker from one side to the other."""
    light = [round(channel + chance.uniform(-30, 30)) for channel in colour]
    dark = [round(channel * chance.uniform(0.6, 0.8)) for channel in light]
    ramp = Image.linear_gradient("L").rotate(chance.choice([0, 90, 180, 270]))
    ImageOps.colorize(ramp, tuple(dark), tuple(light)).save(file := io.BytesIO(), "png")
    return file.getvalue()


def main() -> None:
    chance = random.Random(0)
    exam = [picture(COLOURS[name], chance) for name in COLOURS for _ in range(EXAM)]
    with tinker.ServiceClient(base_url=os.environ.get("TINKER_BASE_URL", "local")) as service:
        training = service.create_lora_training_client(MODEL, RANK, seed=1).result()
        base = service.create_sampling_client(base_model=MODEL).result()
        encode, decode = base.get_tokenizer().encode, base.get_tokenizer().decode
        adam = tinker.AdamParams(learning_rate=default_learning_rate(MODEL, RANK) / 2)

        def prompt(file: bytes, size: int | None = None) -> tinker.ModelInput:
            image = ImageChunk(data=file, format="png", expected_tokens=size)
            return tinker.ModelInput(chunks=[image, EncodedTextChunk(tokens=encode(QUESTION))])

        # The server counts the tokens of a picture.
        size = len(base.compute_logprobs(prompt(exam[0])).result()) - len(encode(QUESTION))

        def datum(name: str) -> tinker.Datum:
            asked, answer = prompt(picture(COLOURS[name], chance), size), encode(f"{name}.")
            weights = [0.0] * (asked.length - 1) + [1.0] * len(answer)
            inputs = {"target_tokens": [0] * (asked.length - 1) + answer, "weights": weights}
            return tinker.Datum(asked.append(EncodedTextChunk(tokens=answer[:-1])), inputs)

        def answers(sampler: tinker.SamplingClient) -> list[str]:
            params = tinker.SamplingParams(max_tokens=8, temperature=0.0, stop=["."])
            asked = [sampler.sample(prompt(file, size), 1, params) for file in exam]
            return [decode(future.result().sequences[0].tokens) for future in asked]

        before = answers(base)
        for _ in range(STEPS):
            data = [datum(name) for name in list(COLOURS) * EACH]
            training.forward_backward(data, "cross_entropy")
            training.optim_step(adam)
        after = answers(training.save_weights_and_get_sampling_client().result())
    print(f"{'picture':10} {'answer before':42} right   {'answer after':14} right")
    for i, name in enumerate(COLOURS):
        rows = [part[EXAM * i : EXAM * (i + 1)] for part in (before, after)]
        right = [f"{sum(name in one for one in part) / EXAM:4.0%}" for part in rows]
        print(f"{name:10} {rows[0][0]!a:42} {right[0]}    {rows[1][0]!a:14} {right[1]}")


if __name__ == "__main__":
    try:
        main()
    except (tinker.TinkerError, ValueError) as error:
        sys.exit(f"vision: {error}")
