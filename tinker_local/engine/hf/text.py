"""The bytes of a token, from the folder's tokenizer."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from tinker.tokenizers._byte_alphabet import to_bytes
from tinker_local.engine.decoding import Text

if TYPE_CHECKING:
    from tinker_local.engine.hf.folder import Folder

_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")


def read(folder: Folder) -> Text | None:
    """The tokenizer of a folder; None if it has no tokenizer.json."""
    from tokenizers import Tokenizer  # noqa: PLC0415 - takes a moment

    file = folder.path / "tokenizer.json"
    if not file.is_file():
        return None
    tokenizer = Tokenizer.from_file(str(file))
    added = {id_: token.content for id_, token in tokenizer.get_added_tokens_decoder().items()}
    is_byte_level = '"ByteLevel"' in str(tokenizer.decoder.__getstate__())

    @cache
    def of_token(token_id: int) -> bytes:
        if token_id in added:
            return added[token_id].encode()
        piece = tokenizer.id_to_token(token_id) or ""  # the vocabulary may be padded
        if is_byte_level and (known := to_bytes(piece)) is not None:
            return known
        if match := _BYTE.fullmatch(piece):
            return bytes([int(match[1], 16)])
        return piece.replace("\u2581", " ").encode()

    return Text(folder.ends, of_token)
