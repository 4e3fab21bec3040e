"""tiktoken's own format: a line for each token, its bytes in base64 and its rank, which is its id.

Such a file has neither the pattern nor the special tokens. Both follow from the family of models,
which is recognized by the number of ranks; tokenizer_config.json beside the file may name more tokens.
"""

from __future__ import annotations

import binascii
from pathlib import Path
from typing import Any

from ._added_tokens import AddedToken
from ._byte_level import ByteLevelParts
from ._errors import TokenizerError
from ._families import FAMILIES


def read_tiktoken_file(path: Path, config: dict[str, Any]) -> tuple[ByteLevelParts, dict[str, str]]:
    """The tokenizer in the file `path`, and its named special tokens (`bos_token` and so on).

    `config` is the content of tokenizer_config.json, whose `added_tokens_decoder` names special
    tokens by id. Raises TokenizerError when the file is of another format or of no known family.
    """
    ranks = _read_ranks(path)
    family = FAMILIES.get(len(ranks))
    if family is None:
        known = ", ".join(f"{family.name} ({count:,})" for count, family in FAMILIES.items())
        raise TokenizerError(
            f"{path} has {len(ranks):,} ranks, which is not a known model family:"
            f" {known}. Pass its tokenizer.json instead."
        )
    added = {
        id_: AddedToken(content, id_) for id_, content in family.special_tokens(len(ranks)).items()
    }
    for token in configured_tokens(config):
        added[token.id] = AddedToken(token.content, token.id, special=token.special)
    ids = {token.content: token.id for token in added.values()}
    parts = ByteLevelParts(
        name=str(path),
        pattern=family.pattern,
        tokens={rank: token for token, rank in ranks.items()},
        ranks=ranks,
        vocab_size=len(ranks),
        added_tokens=tuple(added.values()),
        normal_form=family.normal_form,
        prefix=(ids[family.starts_with],) if family.starts_with else (),
        cut_runs=family.cut_runs,
    )
    return parts, {name: token for name, token in family.named.items() if token in ids}


def configured_tokens(config: dict[str, Any]) -> list[AddedToken]:
    """The tokens that a tokenizer_config.json adds, by id."""
    entries = {int(id_): entry for id_, entry in (config.get("added_tokens_decoder") or {}).items()}
    return [
        AddedToken(
            entry["content"],
            id_,
            **{
                flag: bool(entry.get(flag))
                for flag in ("special", "lstrip", "rstrip", "normalized")
            },
        )
        for id_, entry in sorted(entries.items())
    ]


def _read_ranks(path: Path) -> dict[bytes, int]:
    # Not tiktoken's own reader: it caches by path, and goes on with the old content of a file.
    try:
        lines = [line.split() for line in path.read_bytes().splitlines() if line]
        ranks = {binascii.a2b_base64(token, strict_mode=True): int(rank) for token, rank in lines}
    except ValueError:  # binascii.Error is one
        raise TokenizerError(
            f"{path} is not in tiktoken's format (base64, a space and a rank in each line); a"
            " SentencePiece model needs its tokenizer.json."
        ) from None
    if len(ranks) != len(lines) or not all(bytes([byte]) in ranks for byte in range(256)):
        raise TokenizerError(f"{path} is damaged: tokens are missing or duplicated.")
    return ranks
