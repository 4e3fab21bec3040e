"""More than a megabyte of text of every kind, the same on every run."""

from __future__ import annotations

import importlib
import inspect
import json
import random
import sys
import textwrap
import typing
import unicodedata

_SCRIPTS = {
    "han": (0x4E00, 0x9FFF),
    "kana": (0x3041, 0x30FF),
    "hangul": (0xAC00, 0xD7A3),
    "cyrillic": (0x0400, 0x04FF),
    "greek": (0x0370, 0x03FF),
    "hebrew and arabic": (0x0590, 0x06FF),
    "devanagari": (0x0900, 0x097F),
    "thai": (0x0E00, 0x0E7F),
    "emoji": (0x1F300, 0x1FAFF),
    "mathematical": (0x1D400, 0x1D7FF),
    "combining marks": (0x0300, 0x036F),
    "full width": (0xFF01, 0xFF5E),
}
_SPACES = [
    " ",
    "  ",
    "    ",
    "\n",
    "\n\n",
    "\r\n",
    "\t",
    " \n",
    "\n ",
    "\t\t",
    "\u00a0",
    "\u3000",
    "\u2028",
]
_SPECIAL = [
    "\u200d",
    "\ufe0f",
    "\u200b",
    "\x00",
    "\x1c",
    "\u0085",
    "\ufeff",
    "\u00ad",
    "\u0378",
    "\ufffd",
]
_CONTRACTIONS = [
    "I'm",
    "they'LL",
    "we've",
    "DON'T",
    "o'clock",
    "it\u2019s",
    "'\u017f",
    "rock'n'roll'd",
]


def mixed_text() -> str:
    english = inspect.getsource(importlib.import_module("pydoc_data.topics"))[:400_000]
    code = "".join(
        inspect.getsource(module) for module in (json, random, textwrap, typing, inspect)
    )
    return english + code[:400_000] + invented_text(random.Random(0), 250_000)


def invented_text(rng: random.Random, length: int) -> str:
    """Words of many scripts, numbers, spaces of all kinds, marks, emoji and single odd characters."""
    pieces: list[str] = []
    size = 0
    while size < length:
        piece = _piece(rng)
        pieces.append(piece)
        size += len(piece)
    return "".join(pieces)


def _piece(rng: random.Random) -> str:
    kind = rng.random()
    if kind < 0.35:
        low, high = _SCRIPTS[rng.choice(list(_SCRIPTS))]
        word = "".join(chr(rng.randint(low, high)) for _ in range(rng.randint(1, 8)))
        return rng.choice([word, unicodedata.normalize("NFD", word)])
    if kind < 0.6:
        return rng.choice(_SPACES) * rng.choice([1, 1, 1, 2, 3, 17])
    if kind < 0.7:
        return str(rng.randint(0, 10 ** rng.randint(1, 12)))
    if kind < 0.8:
        return "".join(
            rng.choice("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~") for _ in range(rng.randint(1, 5))
        )
    if kind < 0.85:
        return rng.choice(_CONTRACTIONS)
    if kind < 0.9:
        return rng.choice(_SPECIAL)
    if kind < 0.95:
        return "".join(
            rng.choice("abcdefghijABCDEFGHIJ\u00e9\u0130\u01c5e\u0301")
            for _ in range(rng.randint(1, 9))
        )
    # Any character at all, but the halves of surrogate pairs.
    code = rng.randint(0, sys.maxunicode - 0x800)
    return chr(code if code < 0xD800 else code + 0x800)
