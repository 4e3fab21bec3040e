"""Show pictures to a model that sees: what colour is each of these squares?

    python examples/vision.py Qwen/Qwen3-VL-30B-A3B-Instruct

TINKER_BASE_URL names the server. The hosted service has models that see; the embedded server's read text alone, and the
script says so.
"""

from __future__ import annotations

import os
import sys
import zlib

import rich
from rich import box
from rich.table import Table

import tinker
from tinker import types

MODEL = sys.argv[1] if len(sys.argv) > 1 else "tinker-local/tiny"
QUESTION = "What colour is this picture? Answer in one word."
COLOURS = {"red": (220, 30, 30), "green": (30, 160, 60), "blue": (40, 70, 220)}
PLACEHOLDERS = ("<|image_pad|>", "<|media_pad|>", "<image>")  # what templates put in for an image
REFUSALS = (tinker.BadRequestError, tinker.UnprocessableEntityError, tinker.RequestFailedError)


def square(colour: tuple[int, int, int], side: int = 64) -> types.ImageChunk:
    """An image, as the bytes of a PNG file."""

    def part(name: bytes, content: bytes) -> bytes:
        checked = name + content
        return len(content).to_bytes(4) + checked + zlib.crc32(checked).to_bytes(4)

    header = side.to_bytes(4) * 2 + bytes([8, 2, 0, 0, 0])  # 8 bits for each of red, green and blue
    rows = zlib.compress((b"\0" + bytes(colour) * side) * side)
    parts = part(b"IHDR", header) + part(b"IDAT", rows) + part(b"IEND", b"")
    return types.ImageChunk(data=b"\x89PNG\r\n\x1a\n" + parts, format="png")


def prompt(sampler: tinker.SamplingClient, image: types.ImageChunk) -> tinker.ModelInput:
    """A user's turn by the model's own template, with the image where the template has its place."""
    tokenizer = sampler.get_tokenizer()
    content = [{"type": "image"}, {"type": "text", "text": QUESTION}]
    messages = [{"role": "user", "content": content}]
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    place = next((name for name in PLACEHOLDERS if name in text), None)
    if place is None:
        raise ValueError(f"{MODEL} has no place for images in its chat template.")
    before, after = (
        types.EncodedTextChunk(tokens=tokenizer.encode(part, add_special_tokens=False))
        for part in text.split(place)
    )
    return tinker.ModelInput(chunks=[before, image, after])


def main() -> None:
    with tinker.ServiceClient(base_url=os.environ.get("TINKER_BASE_URL", "local")) as service:
        sampler = service.create_sampling_client(base_model=MODEL).result()
        params = tinker.SamplingParams(max_tokens=8, temperature=0.0)
        try:
            sampler.sample(tinker.ModelInput(chunks=[square((0, 0, 0))]), 1, params).result()
        except REFUSALS as error:
            server = service.session.settings.base_url
            sys.exit(f"vision: {MODEL} on {server} does not see: {error}")
        asked = [sampler.sample(prompt(sampler, square(c)), 1, params) for c in COLOURS.values()]
        replies = [future.result().sequences[0].tokens for future in asked]
    table = Table("the picture", "the model's answer", box=box.SIMPLE)
    for name, tokens in zip(COLOURS, replies, strict=True):
        table.add_row(name, sampler.get_tokenizer().decode(tokens, skip_special_tokens=True))
    rich.print(table)


if __name__ == "__main__":
    try:
        main()
    except (tinker.TinkerError, ValueError) as error:
        sys.exit(f"vision: {error}")
