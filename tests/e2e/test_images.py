"""Images: a model that sees reads a picture as tokens, and says why it does not read another."""

from __future__ import annotations

import base64
import io
import zlib
from typing import Any

import numpy as np
import pytest

import tinker
from tests.support.raw_client import Body, Raw, datum, sample
from tinker.types import EncodedTextChunk, ImageChunk, ModelInput
from tinker_local import LocalServer
from tinker_local.engine.base import EngineError, ModelSpec
from tinker_local.engine.tiny.images import tokens_of_image
from tinker_local.errors import OperationFailed
from tinker_local.options import Options
from tinker_local.protocol.wire import batches
from tinker_proto import tinker_pb2 as pb

pillow = pytest.importorskip("PIL.Image", reason="needs the package pillow")
RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
QUARTERS = [0b111_000_00, 0b111_000_00, 0b000_111_00, 0b000_111_00] * 2 + [3, 3, 255, 255] * 2
"""Of `quarters`: three bits of red, three of green, two of blue."""


def file(picture: Any, form: str = "png") -> bytes:
    picture.save(content := io.BytesIO(), form)
    return content.getvalue()


def quarters(side: int = 40, mode: str = "RGB") -> Any:
    """Red and green above blue and white."""
    picture = pillow.new("RGB", (2, 2))
    picture.putdata([RED, GREEN, BLUE, WHITE])
    return picture.resize((side, side), pillow.Resampling.NEAREST).convert(mode)


def around(image: ImageChunk) -> ModelInput:
    start = ModelInput.from_ints([1, 2])
    return start.append(image).append(EncodedTextChunk(tokens=[3]))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_a_picture_reads_as_the_colours_of_its_parts(server: str, mode: str) -> None:
    with tinker.ServiceClient(base_url=server, api_key="tml-images") as service:
        sampler = service.create_sampling_client(base_model="tinker-local/tiny").result()
        image = ImageChunk(data=file(quarters(mode=mode)), format="png")
        seen = sampler.compute_logprobs(around(image)).result()
        assert seen == sampler.compute_logprobs(ModelInput.from_ints([1, 2, *QUARTERS, 3])).result()
        # The mean over each part of a grid of 4 by 4; in a JPEG, about that.
        photo = ImageChunk(
            data=file(pillow.new("RGB", (9, 7), (200, 90, 150)), "jpeg"), format="jpeg"
        )
        seen = sampler.compute_logprobs(around(photo)).result()
        expected = [(200 // 32 << 5) + (90 // 32 << 2) + 150 // 64] * 16
        assert seen == sampler.compute_logprobs(ModelInput.from_ints([1, 2, *expected, 3])).result()


@pytest.mark.parametrize("level", [0, 0x4000, 0x8000, 0xFFFF])
def test_a_picture_of_16_bits_reads_as_one_of_8(level: int) -> None:
    deep = pillow.fromarray(np.full((8, 8), level, np.uint16))
    flat = pillow.new("L", (8, 8), level >> 8)
    tokens = [tokens_of_image(file(picture), "png").tolist() for picture in (deep, flat)]
    assert tokens[0] == tokens[1]


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("side", [10_000, 20_000])
def test_a_picture_that_would_fill_memory_is_not_decoded(side: int) -> None:
    header = side.to_bytes(4) * 2 + bytes([1, 0, 0, 0, 0])
    checked = b"IHDR" + header
    content = b"\x89PNG\r\n\x1a\n" + len(header).to_bytes(4) + checked
    content += zlib.crc32(checked).to_bytes(4) + b"\0\0\0\0IDAT" + zlib.crc32(b"IDAT").to_bytes(4)
    with pytest.raises(EngineError, match="at most 16,777,216"):
        tokens_of_image(content, "png")


@pytest.mark.parametrize("form", ["", "gif", "other"])
def test_a_format_that_the_contract_does_not_have(form: str) -> None:
    """JSON is checked against the contract; in protobuf, the format is any string."""
    model = ModelSpec(
        name="m",
        max_context_length=99,
        vocab_size=256,
        tokenizer_id="m",
        arch="m",
        image_tokens=tokens_of_image,
    )
    image = pb.ImageChunk(data=file(quarters(), "gif"), format=form)
    request = pb.ForwardBackwardRequest(data=[pb.Datum(model_input=[pb.Chunk(image=image)])])
    text = rf"data\[0\]: the format of an image is '{form}'; it must be 'jpeg' or 'png'"
    with pytest.raises(OperationFailed, match=text):
        batches.examples_from_protobuf(request, model)


@pytest.mark.parametrize("protobuf", [True, False])
def test_training_reads_pictures(protobuf: bool) -> None:
    with (
        LocalServer(options=Options(protobuf=protobuf)) as running,
        tinker.ServiceClient(base_url=running.url, api_key="tml-images") as service,
    ):
        training = service.create_lora_training_client("tinker-local/tiny", 4, seed=1).result()
        image = ImageChunk(data=file(quarters()), format="png", expected_tokens=16)
        inputs = {"target_tokens": [7] * 19, "weights": [0.0] * 18 + [1.0]}
        losses = [
            training.forward([tinker.Datum(prompt, inputs)], "cross_entropy").result().metrics
            for prompt in (around(image), ModelInput.from_ints([1, 2, *QUARTERS, 3]))
        ]
        assert losses[0] == losses[1]


def chunk(**members: Any) -> Body:
    content = base64.b64encode(members.pop("content", file(quarters()))).decode()
    return {"type": "image", "data": content, "format": "png", **members}


REFUSED: dict[str, tuple[Body, str]] = {
    "another count": (
        chunk(expected_tokens=64),
        "expected_tokens is 64; tinker-local/tiny reads this image as 16 tokens.",
    ),
    "another format": (chunk(format="jpeg"), "the image is not a JPEG file that can be read"),
    "half a file": (
        chunk(content=file(quarters())[:60]),
        "the image is not a PNG file that can be read",
    ),
    "too large": (
        chunk(content=file(pillow.new("1", (2**13, 2**12)))),
        "the image has 33,554,432 pixels; at most 16,777,216 are read",
    ),
    "not base64": (chunk() | {"data": "a"}, "The data of an image is not base64."),
    "not ASCII": (chunk() | {"data": "é"}, "The data of an image is not base64."),
    "a pointer": (
        {"type": "image_asset_pointer", "location": "http://127.0.0.1/a.png", "format": "png"},
        "This server fetches no images: send the image itself, as an image chunk.",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_why_it_is_not_read(server: str, case: str) -> None:
    image, text = REFUSED[case]
    with Raw(server) as raw:
        prompt = {"prompt": {"chunks": [image]}}
        session_id = raw.session()
        failed = raw.do("asample", sample(raw.sampler(session_id), 0) | prompt)
        assert failed["error"] == text
        one = datum("a") | {"model_input": prompt["prompt"]}
        data = {"data": [datum("a"), one], "loss_fn": "cross_entropy"}
        body = {"model_id": raw.model(session_id), "seq_id": 1, "forward_backward_input": data}
        assert raw.do("forward_backward", body)["error"] == f"data[1]: {text}"


def test_a_model_of_text_says_so() -> None:
    model = ModelSpec(
        name="text", max_context_length=8, vocab_size=9, tokenizer_id="text", arch="text"
    )
    text = "This model reads text only; the input has a chunk of type image."
    with pytest.raises(OperationFailed, match=text):
        batches.tokens_from_json({"chunks": [chunk()]}, model)
    request = pb.ForwardBackwardRequest(
        data=[pb.Datum(model_input=[pb.Chunk(image=pb.ImageChunk(data=b"", format="png"))])]
    )
    with pytest.raises(OperationFailed, match=rf"data\[0\]: {text}"):
        batches.examples_from_protobuf(request, model)
