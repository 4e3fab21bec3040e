"""The embedded server's tokenizer: a token for each byte, and one for the end."""

from __future__ import annotations

from ._added_tokens import AddedToken
from ._byte_level import ByteLevelParts

EOS = "<eos>"
EOS_ID = 256


def embedded_parts() -> ByteLevelParts:
    """Ids 0 to 255 are the bytes of the text in UTF-8; 256 is `<eos>`."""
    every_byte = {byte: bytes([byte]) for byte in range(256)}
    return ByteLevelParts(
        name="tinker-local/bytes",
        pattern=r"[\s\S]+",
        tokens=every_byte,
        ranks={token: byte for byte, token in every_byte.items()},
        vocab_size=256,
        added_tokens=(AddedToken(EOS, EOS_ID),),
    )
