"""Estimates of encoded sizes."""

from __future__ import annotations

from tinker import types

BYTES_PER_TOKEN = 4
"""In protobuf."""
_BYTES_PER_JSON_TOKEN = 10


def size_of(prompt: types.ModelInput) -> int:
    """Estimated bytes of a sampling request (JSON) with this prompt."""
    return sum(bytes_of(chunk, _BYTES_PER_JSON_TOKEN) for chunk in prompt.chunks)


def bytes_of(chunk: types.ModelInputChunk, per_token: int) -> int:
    """Estimated bytes of a chunk of a prompt."""
    if isinstance(chunk, types.EncodedTextChunk):
        return per_token * len(chunk.tokens_np)
    if isinstance(chunk, types.ImageChunk):
        return len(chunk.data)
    return len(chunk.dmel) if isinstance(chunk, types.DmelChunk) else len(chunk.location)
