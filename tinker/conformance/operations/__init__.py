"""At least one check for each operation of the contract; a module for each tag."""

from tinker.conformance.operations import (  # they register their checks
    administration,
    auth,
    checkpoints,
    compatible,
    futures,
    sampling,
    service,
    sessions,
    training,
    weights,
)

__all__ = [
    "administration",
    "auth",
    "checkpoints",
    "compatible",
    "futures",
    "sampling",
    "service",
    "sessions",
    "training",
    "weights",
]
