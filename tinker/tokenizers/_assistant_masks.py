"""Which tokens of a rendered conversation the assistant has written, from what its template marks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from . import _chat_template
from ._backend import Backend
from ._chat_template import Span
from ._errors import TokenizerError


def check(template: str, *, tokenize: bool, return_dict: bool, continues: bool) -> None:
    """Raise unless masks can be made with this template and these arguments of `apply_chat_template`."""
    if not (tokenize and return_dict) or continues:
        raise TokenizerError(
            "return_assistant_tokens_mask needs tokenize=True and return_dict=True, and no"
            " continue_final_message."
        )
    if not _chat_template.marks_generation(template):
        raise TokenizerError(
            "return_assistant_tokens_mask needs a chat template with {% generation %}, which this one"
            " does not have; tinker.tokenizers.trained_tokens computes the mask without it."
        )


def mask_of(backend: Backend, text: str, spans: Sequence[Span]) -> tuple[list[int], list[bool]]:
    """The ids of a text, and for each whether any of its characters lies in a span."""
    normalize = backend.normalize
    normal = normalize(text)
    remaining = list(spans)
    if normal != text:
        remaining = [(_moved(normalize, text, a), _moved(normalize, text, b)) for a, b in spans]
    tokens, offsets = backend.encode_with_offsets(normal)
    mask = []
    for begin, end in offsets:
        while remaining and remaining[0][1] <= begin:
            remaining.pop(0)
        mask.append(bool(remaining) and remaining[0][0] < end)
    return tokens, mask


def _moved(normalize: Callable[[str], str], text: str, place: int) -> int:
    """Where a place of the text is in the normalized text."""
    before = normalize(text[:place])
    if before + normalize(text[place:]) != normalize(text):
        raise TokenizerError(f"The text cannot be cut at character {place}: it is within a letter.")
    return len(before)
