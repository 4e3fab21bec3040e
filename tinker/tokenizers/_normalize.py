"""Unicode normalisation with the tables of Hugging Face's normalizers.

Those know Unicode 9: characters encoded since are to them letters of their own, that neither
compose, decompose nor change places. Python's tables are newer, so such characters are kept out
of its way.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Literal, TypeGuard, get_args

Form = Literal["NFC", "NFD", "NFKC", "NFKD"]

# The characters that matter among those since: with a combining class, with a decomposition, or
# first in a composition. As of Unicode 17, hexadecimal.
_NEWER = (
    "558 58b-58c 5c8-5c9 7fd 897-89f 8ca-8d3 9fe c3c d3b-d3c eba 1715 1abf-1af0 1df6-1dfa 209d-209f"
    " 32ff a7f1-a7f4 a82c ab69 105c9 105d2 105da 105e4 10781-10785 10787-107b0 107b2-107bf"
    " 10d24-10d27 10d69-10d6d 10eab-10eac 10ecb-10ecf 10ef0-10efb 10efd-10eff 10f46-10f50"
    " 10f82-10f85 11070 1133b 11382-11385 1138b 1138e 11390-11391 113c2 113c5 113c7-113c8"
    " 113ce-113d0 1145e 11839-1183a 11935 11938 1193d-1193e 11943 119e0 11a34 11a47 11a99 11d42"
    " 11d44-11d45 11d97 11f41-11f42 1611e 16121-16128 1612f 16d63 16d67-16d6a 16ff0-16ff1"
    " 1b123-1b126 1ccd6-1ccf9 1d127-1d128 1d250-1d252 1d25b-1d25c 1d25f 1d280-1d281 1d6a6 1df95"
    " 1dfcd-1dfff 1e030-1e06d 1e08f 1e130-1e136 1e2ae 1e2ec-1e2ef 1e4ec-1e4ef 1e5ee-1e5ef 1e6e3"
    " 1e6e6 1e6ee-1e6ef 1e6f5 1f16c 1fbf0-1fbf9"
)


def _characters(ranges: str) -> str:
    ends = [[int(end, 16) for end in entry.split("-")] for entry in ranges.split()]
    return "".join(chr(code) for end in ends for code in range(end[0], end[-1] + 1))


_KEPT = frozenset(_characters(_NEWER))
_SPLIT = re.compile(f"([{''.join(sorted(_KEPT))}])")


def is_form(name: str) -> TypeGuard[Form]:
    return name in get_args(Form)


def normalize(form: Form, text: str) -> str:
    """`text` in the normal form `form`: NFC, NFD, NFKC or NFKD."""
    # What Python finds normal is normal by older tables too: they know less to change.
    if unicodedata.is_normalized(form, text):
        return text
    # Nothing changes across a line's end, and most lines are normal, which is soon found.
    return "\n".join([_normalize_line(form, line) for line in text.split("\n")])


def _normalize_line(form: Form, line: str) -> str:
    if unicodedata.is_normalized(form, line):
        return line
    if _KEPT.isdisjoint(line):
        return unicodedata.normalize(form, line)
    pieces = _SPLIT.split(line)
    pieces[::2] = [unicodedata.normalize(form, piece) for piece in pieces[::2]]
    return "".join(pieces)
