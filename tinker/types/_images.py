"""Shared functions of the two kinds of image chunks."""

from __future__ import annotations

from typing import Any

from tinker.types._numbers import is_whole
from tinker_api.models.image_format import IMAGE_FORMAT_VALUES


def check_format(instance: object, attribute: object, value: object) -> None:
    if value not in IMAGE_FORMAT_VALUES:
        kind = type(instance).__name__
        allowed = " or ".join(map(repr, sorted(IMAGE_FORMAT_VALUES)))
        raise ValueError(f"{kind}.format is {value!r}; it must be {allowed}.")


def check_expected_tokens(instance: object, attribute: object, value: Any) -> None:
    if value is None:
        return
    if not is_whole(value) or value < 0:
        kind = type(instance).__name__
        raise ValueError(
            f"{kind}.expected_tokens is {value!r}; it must be an integer of at least 0, or None."
        )


def length(chunk: object, expected_tokens: int | None) -> int:
    if expected_tokens is None:
        raise ValueError(
            f"{type(chunk).__name__} has no expected_tokens, so its length in tokens is not known; "
            "give expected_tokens when making it."
        )
    return int(expected_tokens)
