"""What calling a tokenizer gives."""

from __future__ import annotations

from typing import Any

from ._errors import TokenizerError


class TokenizedText(dict[str, Any]):
    """What calling a tokenizer gives: `input_ids` and `attention_mask`, by key or attribute."""

    @property
    def input_ids(self) -> Any:
        return self["input_ids"]

    @property
    def attention_mask(self) -> Any:
        return self["attention_mask"]


def tokenized(
    rows: list[list[int]],
    *,
    single: bool,
    return_tensors: str | None,
    **more: list[list[int]],
) -> TokenizedText:
    """The ids of texts in the form that the caller asks for.

    Args:
        rows: The ids of each text.
        single: Whether the caller gave one text, not a list.
        return_tensors: "np" or "pt" for arrays or torch tensors, always of a batch.
        more: Further columns by name, each of the shape of `rows`.
    """
    columns = {"input_ids": rows, "attention_mask": [[1] * len(row) for row in rows], **more}
    if return_tensors is not None:
        return TokenizedText(
            {name: _tensor(column, return_tensors) for name, column in columns.items()}
        )
    return TokenizedText(
        {name: column[0] if single else column for name, column in columns.items()}
    )


def _tensor(rows: list[list[int]], kind: str) -> Any:
    if len({len(row) for row in rows}) > 1:
        raise TokenizerError("return_tensors needs rows of one length: padding is not supported.")
    if kind == "np":
        import numpy as np  # noqa: PLC0415 - only when asked for

        return np.array(rows, dtype=np.int64)
    if kind == "pt":
        import torch  # noqa: PLC0415

        return torch.tensor(rows, dtype=torch.long)
    raise TokenizerError(f"return_tensors is {kind!r}; it can be 'np' or 'pt'.")
