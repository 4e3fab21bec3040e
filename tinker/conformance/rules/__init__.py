"""Rules that cross operations; a module for each subject of rules."""

from tinker.conformance.rules import (  # they register their checks
    encodings,
    errors,
    names,
    numbers,
    order,
)

__all__ = ["encodings", "errors", "names", "numbers", "order"]
