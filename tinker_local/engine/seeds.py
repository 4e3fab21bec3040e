"""What a seed means, for every engine."""

from __future__ import annotations

import zlib

import numpy as np


def random_state(seed: int, name: str) -> np.random.RandomState:
    """A generator for one named purpose, independent of all other draws.

    RandomState, because numpy has frozen its streams: adapters saved under one release of numpy
    must fit the base weights drawn under another. Only uniform draws are used, which unlike
    normal ones involve no libm.
    """
    words = [(seed >> shift) & 0xFFFFFFFF for shift in (0, 32)]
    return np.random.RandomState([*words, zlib.crc32(name.encode())])
