"""One thread for numpy's matrix products while the engine computes.

At the model's size a second thread gains a quarter. But OpenBLAS's threads wait for one another by
spinning: on a machine whose cores are busy with anything else - such as the client whose server
this is - every product then waits for the scheduler, and training is 18 times slower (measured on
two cores). One thread also means that the number of cores cannot show in the results.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache

import numpy as np  # noqa: F401  # its libraries must be loaded to be found
from threadpoolctl import ThreadpoolController


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


def one_thread() -> AbstractContextManager[object]:
    """Applies to the whole process inside the context; then the previous setting is restored."""
    limit: AbstractContextManager[object] = _controller().limit(limits=1, user_api="blas")
    return limit
