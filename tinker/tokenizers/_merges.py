"""From an ordered list of merges to tiktoken's ranks, when both give the same tokens for every text.

Hugging Face's tokenizers merge by pairs: two neighbours become one token if their pair is listed,
the pair listed first goes first. tiktoken merges by results: two neighbours become one token if
their bytes together are one, the lowest rank goes first. Both take the leftmost of equals.

Let a token's *last pair* be the two neighbours that its bytes, alone, have become just before they
become the token. Wherever in a text two neighbours hold the bytes of a token, they are its last
pair: nothing outside has touched these bytes yet, so they went through the same steps as alone.
Hence the two agree on every text if the last pair of every token is listed, and the last pairs are
listed in the order of the tokens' ranks. That is what is checked here. Lists may have further pairs,
as those have that were made from files of ranks: no text ever gets to them.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

_Ints: TypeAlias = npt.NDArray[np.int64]
_Bools: TypeAlias = npt.NDArray[np.bool_]

# Tokens that are looked at one by one. Files in use have less than a thousand.
_MAX_ODD_TOKENS = 5000


class NotConvertible(Exception):
    """tiktoken would not give the same ids, or it is not proven that it would."""


def ranks_from_merges(
    tokens: dict[int, bytes], merges: _Ints, *, ignore_merges: bool
) -> dict[bytes, int]:
    """tiktoken's ranks: the ids where these follow the order of merging, else places in that order.

    `tokens` are the bytes of each id; `merges` the ids of left part, right part and result, a row
    for each merge, in order; with `ignore_merges` a piece that is a token is that token even if no merge leads there.
    Raises NotConvertible when tiktoken's tokens would differ for some text, or might.
    """
    if list(map(len, tokens.values())).count(1) != 256:
        raise NotConvertible("not every byte is a token")
    if len(set(tokens.values())) != len(tokens):
        raise NotConvertible("two ids have the same bytes")
    size = max(tokens) + 1
    table = merges.reshape(-1, 3)
    lengths = np.zeros(size, dtype=np.int64)
    lengths[list(tokens)] = [len(token) for token in tokens.values()]
    if np.any(lengths[table[:, :2]].sum(axis=1) != lengths[table[:, 2]]):
        raise NotConvertible("a merge makes other bytes than its parts have")

    # A token's rank is where it is first listed; bytes come before, tokens never listed behind.
    rank_of: _Ints = np.full(size, len(table))
    np.minimum.at(rank_of, table[:, 2], np.arange(len(table)))
    rank_of[lengths == 1] = -1
    row_of = _rows_of_last_pairs(table, rank_of, lengths)
    ids: _Ints = np.array(sorted(tokens))
    in_use = ids[np.argsort(rank_of[ids], kind="stable")]
    if not ignore_merges:
        in_use = in_use[rank_of[in_use] < len(table)]
    _look_at_the_rest(tokens, in_use, table, row_of)

    # Tokens without a last pair are never made by merging.
    made = in_use[row_of[in_use] >= 0]
    if np.any(np.diff(row_of[made]) <= 0):
        raise NotConvertible("the merges are in another order than any ranks")
    if not ignore_merges:
        # tiktoken would take them whole where a piece of text is one, without merging.
        in_use = in_use[(row_of[in_use] >= 0) | (lengths[in_use] == 1)]
    ids_are_ranks = bool(np.all(np.diff(made) > 0))
    return {tokens[id_]: id_ if ids_are_ranks else rank for rank, id_ in enumerate(in_use.tolist())}


def _rows_of_last_pairs(table: _Ints, rank_of: _Ints, lengths: _Ints) -> _Ints:
    """For each token the row of `table` with its last pair; -1 where that is not certain.

    Certain are the tokens made in the order of ranks, each after its parts. Shorter tokens first:
    whether a pair is a last pair hangs on the last pairs within it.
    """
    left, right, result = table.T
    row_of: _Ints = np.full(len(rank_of), -1)
    known = lengths == 1
    border = _Border(table, rank_of)
    by_length = np.argsort(lengths[result], kind="stable")
    steps = np.flatnonzero(np.diff(lengths[result][by_length])) + 1
    after_parts = rank_of[result] > np.maximum(rank_of[left], rank_of[right])
    for of_one_length in np.split(by_length, steps):
        certain = after_parts & known[left] & known[right]
        rows = of_one_length[certain[of_one_length]]
        rows = rows[border.stays(left[rows], right[rows], rank_of[result[rows]])]
        known[result[rows]] = True
        border.parts[result[rows]] = table[rows, :2]
        row_of[result[rows]] = rows
    return row_of


class _Border:
    """Whether anything merges across the border between two tokens. Many at once."""

    def __init__(self, table: _Ints, rank_of: _Ints) -> None:
        self._rank_of = rank_of
        self._base = len(rank_of)
        keys = table[:, 0] * self._base + table[:, 1]
        order = np.argsort(keys)
        self._keys, self._ranks = keys[order], rank_of[table[order, 2]]
        self.parts: _Ints = np.full((len(rank_of), 2), -1)  # the last pairs known so far

    def stays(self, a: _Ints, b: _Ints, limit: _Ints) -> _Bools:
        """Whether the bytes of `a` and `b`, side by side, become these two before rank `limit`.

        The tokens that meet at the border over time are found backwards, by undoing merges, the
        last one first; with each undone, the two that meet now must not make a token of lower rank.
        """
        stays = np.ones(len(a), dtype=np.bool_)
        active = np.arange(len(a))
        while len(active):
            across = self._ranks_of_pairs(a, b) < limit
            stays[active[across]] = False
            rank_a, rank_b = self._rank_of[a], self._rank_of[b]
            more = ~across & (np.maximum(rank_a, rank_b) >= 0)
            active, a, b, rank_a, rank_b = (x[more] for x in (active, a, b, rank_a, rank_b))
            # Of two alike the right one was made last. At one rank the leftmost pair goes first: one
            # across the border lies behind those in `a`, and before those in `b`.
            undo_a = rank_a > rank_b
            limit = np.where(undo_a, rank_a, rank_b + 1)
            a, b = np.where(undo_a, self.parts[a, 1], a), np.where(undo_a, b, self.parts[b, 0])
        return stays

    def _ranks_of_pairs(self, left: _Ints, right: _Ints) -> _Ints:
        key = left * self._base + right
        found = np.minimum(np.searchsorted(self._keys, key), len(self._keys) - 1)
        ranks: _Ints = np.where(self._keys[found] == key, self._ranks[found], len(self._keys))
        return ranks


def _look_at_the_rest(tokens: dict[int, bytes], in_use: _Ints, table: _Ints, row_of: _Ints) -> None:
    """Find the last pairs that are not in `row_of` yet, one by one, by merging."""
    rest = [id_ for id_ in in_use[row_of[in_use] < 0].tolist() if len(tokens[id_]) > 1]
    if len(rest) > _MAX_ODD_TOKENS:
        raise NotConvertible("too many tokens do not follow the order of the merges")
    if not rest:
        return
    ranks = {tokens[id_]: rank for rank, id_ in enumerate(in_use.tolist())}
    rows = np.flatnonzero(np.isin(table[:, 2], rest)).tolist()
    row_of_pair = {
        (tokens[left], tokens[right]): row
        for row, (left, right, _) in zip(rows, table[rows].tolist(), strict=True)
    }
    for id_ in rest:
        pair = _last_pair(tokens[id_], ranks)
        if pair is not None:
            if pair not in row_of_pair:
                raise NotConvertible("tiktoken would merge where the file lists no merge")
            row_of[id_] = row_of_pair[pair]


def _last_pair(token: bytes, ranks: dict[bytes, int]) -> tuple[bytes, bytes] | None:
    """The last two parts that `token` becomes by merging; None when it stops before."""
    parts = [token[i : i + 1] for i in range(len(token))]
    while len(parts) > 2:
        joined = [a + b for a, b in pairwise(parts)]
        possible = [(ranks[pair], at) for at, pair in enumerate(joined) if pair in ranks]
        if not possible:
            return None
        _, at = min(possible)
        parts[at : at + 2] = [joined[at]]
    return parts[0], parts[1]
