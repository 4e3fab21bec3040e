"""Images as tokens: what the tiny model sees of a picture.

It reads a picture as 16 bytes, the mean colours of a grid of 4 by 4, row by row. A byte holds a colour in 3 bits of red, 3 of
green and 2 of blue. What such a byte means is learned, as with the bytes of text.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tinker_local.engine.base import EngineError

if TYPE_CHECKING:
    from PIL.Image import Image

GRID = 4
MAX_PIXELS = 2**24


def tokens_of_image(content: bytes, file_format: str) -> npt.NDArray[np.int64]:
    """The tokens of a PNG or JPEG file, int64 [16].

    Raises EngineError if the file is not a picture of this format, or too large.
    """
    from PIL import Image  # noqa: PLC0415  # slow

    try:
        with Image.open(io.BytesIO(content), formats=[file_format]) as picture:
            pixels = picture.width * picture.height
            if pixels <= MAX_PIXELS:
                colours = _grey(picture) if picture.mode.startswith("I") else picture
                small = colours.convert("RGB").resize((GRID, GRID), Image.Resampling.BOX)
    except Image.DecompressionBombError:
        raise EngineError(
            f"the image has too many pixels; at most {MAX_PIXELS:,} are read"
        ) from None
    except (OSError, SyntaxError, ValueError):
        raise EngineError(
            f"the image is not a {file_format.upper()} file that can be read"
        ) from None
    if pixels > MAX_PIXELS:
        raise EngineError(f"the image has {pixels:,} pixels; at most {MAX_PIXELS:,} are read")
    red, green, blue = np.asarray(small, np.int64).reshape(-1, 3).T
    return red >> 5 << 5 | green >> 5 << 2 | blue >> 6


def _grey(picture: Image) -> Image:
    """Grey of 16 bits in 8, as Pillow reads colours of 16 bits; its own conversion turns all above 255 white."""
    from PIL.Image import fromarray  # noqa: PLC0415  # slow

    return fromarray((np.asarray(picture) >> 8).astype(np.uint8))
