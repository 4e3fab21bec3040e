"""Write the tokenizer of `tinker-local/tiny` in Hugging Face's form, for programs that read no other: `python byte_tokenizer.py DIR`."""

from __future__ import annotations

import json
import sys
from pathlib import Path


def characters() -> list[str]:
    """The character by which byte-level tokenizers write each byte."""
    shown = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = (chr(code) for code in range(256, 512))
    return [chr(byte) if byte in shown else next(others) for byte in range(256)]


def write(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    byte_level = {"add_prefix_space": False, "trim_offsets": False, "use_regex": False}
    model = {
        "type": "BPE",
        "vocab": {character: byte for byte, character in enumerate(characters())},
        "merges": [],
    }
    eos = {"id": 256, "content": "<eos>", "special": True, "normalized": False}
    added = {**eos, "single_word": False, "lstrip": False, "rstrip": False}
    content = {
        "version": "1.0",
        "added_tokens": [added],
        "pre_tokenizer": {"type": "ByteLevel", **byte_level},
        "decoder": {"type": "ByteLevel", **byte_level},
        "model": model,
    }
    (folder / "tokenizer.json").write_text(json.dumps(content))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<eos>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


if __name__ == "__main__":
    write(Path(sys.argv[1]))
