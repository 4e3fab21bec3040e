"""One thread for numpy's matrix products while the engine computes.

At the model's size a second thread gains a quarter. But OpenBLAS's threads wait for one another by
spinning: on a machine whose cores are busy with anything else - such as the client whose server
this is - every product then waits for the scheduler, and training is 18 times slower (measured on
two cores). One thread also means that the number of cores cannot show in the results.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np

_SYMBOL = "scipy_openblas_{}_num_threads64_"


@contextmanager
def one_thread() -> Iterator[None]:
    """In effect for the whole process while inside, then as it was.

    Knows the OpenBLAS that numpy's wheels bring along; leaves other libraries to their environment
    variables.
    """
    control = _openblas()
    if control is None:
        yield
        return
    get, set_ = control
    before = get()
    set_(1)
    try:
        yield
    finally:
        set_(before)


@cache
def _openblas() -> tuple[Callable[[], int], Callable[[int], None]] | None:
    package = Path(np.__file__).parent
    for folder in (package.parent / "numpy.libs", package / ".dylibs"):
        for path in folder.glob("*openblas*"):
            try:
                library = ctypes.CDLL(str(path))  # numpy has loaded it: this is the same one
                return library[_SYMBOL.format("get")], library[_SYMBOL.format("set")]
            except (OSError, AttributeError):
                continue
    return None
