"""Writes files in the safetensors format while other threads run.

Of safetensors' own functions, `save` holds Python's global lock while it copies all tensors, 80 ms for 70 MB, during which
the server answers nobody; `save_file` leaves a file with a name of its own when the process is killed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from tinker_local.engine.base import Tensors

_ALIGNMENT = 8


@contextmanager
def durable(path: Path) -> Iterator[BinaryIO]:
    """A new file, which is on disk when the block ends: a power cut cannot empty it after the store has named it."""
    with path.open("wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def write(file: BinaryIO, tensors: Tensors, metadata: Mapping[str, str]) -> None:
    """Write tensors by name, and their metadata."""
    header: dict[str, object] = {"__metadata__": dict(metadata)}
    place = 0
    for name, tensor in sorted(tensors.items()):
        end = place + tensor.nbytes
        header[name] = {"dtype": "F32", "shape": tensor.shape, "data_offsets": [place, end]}
        place = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    file.write(len(text).to_bytes(8, "little") + text)
    for _, tensor in sorted(tensors.items()):
        file.write(np.ascontiguousarray(tensor, "<f4").data)
