"""The tokenizers to compare with, rebuilt on Hugging Face's library from files of ranks."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from tokenizers import Tokenizer


def read_ranks(path: Path) -> dict[bytes, int]:
    lines = (line.split() for line in path.read_bytes().splitlines())
    return {base64.b64decode(token): int(rank) for token, rank in lines}


def write_ranks(path: Path, ranks: dict[bytes, int]) -> None:
    lines = (base64.b64encode(token) + b" %d\n" % rank for token, rank in ranks.items())
    path.write_bytes(b"".join(lines))


def tokenizer_json(
    ranks: dict[bytes, int],
    pattern: str,
    added: list[str],
    *,
    normalizer: str | None = None,
    every_split: bool = True,
    bos: str | None = None,
) -> str:
    """The content of a tokenizer.json that stands for a file of ranks.

    With `every_split`, each way to make a token of two is a merge, and pieces that are tokens are
    taken whole: so the files of Llama 3 and gpt-oss are made. Else a token has one merge, the last
    step of merging its bytes by all lower ranks: so those of Qwen and GPT-2 are.
    """
    alphabet = _alphabet()
    name = {token: "".join(alphabet[byte] for byte in token) for token in ranks}
    merges = []
    for token, rank in ranks.items():
        if every_split:
            splits = [(token[:i], token[i:]) for i in range(1, len(token))]
            pairs = [(a, b) for a, b in splits if a in ranks and b in ranks]
            pairs.sort(key=lambda pair: (ranks[pair[0]], ranks[pair[1]]))
        else:
            parts = _merge_below(token, ranks, rank)
            pairs = [(parts[0], parts[1])] if len(parts) == 2 else []
        merges += [[name[a], name[b]] for a, b in pairs]
    ids = {content: len(ranks) + n for n, content in enumerate(added)}
    post_processor = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False}
    if bos is not None:
        template = {
            "type": "TemplateProcessing",
            "single": [
                {"SpecialToken": {"id": bos, "type_id": 0}},
                {"Sequence": {"id": "A", "type_id": 0}},
            ],
            "pair": [
                {"Sequence": {"id": "A", "type_id": 0}},
                {"Sequence": {"id": "B", "type_id": 1}},
            ],
            "special_tokens": {bos: {"id": bos, "ids": [ids[bos]], "tokens": [bos]}},
        }
        post_processor = {"type": "Sequence", "processors": [post_processor, template]}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    split = {
        "type": "Split",
        "pattern": {"Regex": pattern},
        "behavior": "Isolated",
        "invert": False,
    }
    return json.dumps(
        {
            "version": "1.0",
            "truncation": None,
            "padding": None,
            "added_tokens": [
                {
                    "id": id_,
                    "content": content,
                    "single_word": False,
                    "lstrip": False,
                    "rstrip": False,
                    "normalized": False,
                    "special": True,
                }
                for content, id_ in ids.items()
            ],
            "normalizer": {"type": normalizer} if normalizer else None,
            "pre_tokenizer": {
                "type": "Sequence",
                "pretokenizers": [split, {**byte_level, "use_regex": False}],
            },
            "post_processor": post_processor,
            "decoder": {**byte_level, "use_regex": True},
            "model": {
                "type": "BPE",
                "vocab": {name[token]: rank for token, rank in ranks.items()},
                "merges": merges,
                "ignore_merges": every_split,
            },
        }
    )


def load(content: str) -> Tokenizer:
    return Tokenizer.from_str(content)


def _merge_below(token: bytes, ranks: dict[bytes, int], limit: int) -> list[bytes]:
    parts = [token[i : i + 1] for i in range(len(token))]
    while len(parts) > 2:
        rank, at = min(
            (ranks.get(parts[i] + parts[i + 1], limit), i) for i in range(len(parts) - 1)
        )
        if rank >= limit:
            break
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    return parts


def _alphabet() -> dict[int, str]:
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {b: chr(b) for b in printable} | {b: chr(256 + n) for n, b in enumerate(others)}
