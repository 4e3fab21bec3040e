"""What the two kinds of image chunk share."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from tinker.types._numbers import is_whole

ImageFormat: TypeAlias = Literal["png", "jpeg"]


def check_format(instance: object, attribute: object, value: object) -> None:
    if value not in ("png", "jpeg"):
        kind = type(instance).__name__
        raise ValueError(f"{kind}.format is {value!r}; it must be 'png' or 'jpeg'.")


def check_expected_tokens(instance: object, attribute: object, value: Any) -> None:
    if value is None:
        return
    if not is_whole(value) or value < 0:
        kind = type(instance).__name__
        raise ValueError(
            f"{kind}.expected_tokens is {value!r}; it must be a whole number from 0, or None."
        )


def length(chunk: object, expected_tokens: int | None) -> int:
    if expected_tokens is None:
        raise ValueError(
            f"{type(chunk).__name__} has no expected_tokens, so its length in tokens is not known; "
            "give expected_tokens when making it."
        )
    return int(expected_tokens)
