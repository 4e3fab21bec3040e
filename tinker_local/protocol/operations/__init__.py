"""The operations: the engine computes, and results are committed together with the new state.

`execution` runs requests and records their results. `models`, `training`, `checkpoints` and `sampling` have a
function for each operation: it computes, changes nothing, and returns an `Outcome`.
"""

from tinker_local.protocol.operations.execution import Operations

__all__ = ["Operations"]
