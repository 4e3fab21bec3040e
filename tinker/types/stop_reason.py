"""`StopReason`: why a sample ended."""

from __future__ import annotations

from typing import Literal, TypeAlias

StopReason: TypeAlias = Literal["length", "stop"]
"""`"stop"`: a stop string, a stop token or the end of the text; `"length"`: max_tokens reached."""
