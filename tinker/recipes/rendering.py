"""Examples → tokens, and which of them are trained on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from attrs import evolve, field, frozen

from tinker import types
from tinker.recipes.errors import DataError, Problem, RecipeError
from tinker.recipes.examples import (
    Completion,
    Conversation,
    Document,
    Examples,
    Preference,
)
from tinker.recipes.settings import LongRows
from tinker.tokenizers import Tokenizer, TokenizerError, TrainOn, trained_tokens


@frozen(eq=False)
class Rendered:
    """A row as the model sees it."""

    line: int
    tokens: npt.NDArray[np.int32] = field(repr=False)
    trained: npt.NDArray[np.bool_] = field(repr=False)
    """For each token, whether the model is trained to predict it. The first one never is."""
    truncated: int = 0
    """Tokens that were cut off its end."""

    @property
    def trained_count(self) -> int:
        return int(self.trained.sum())

    def datum(self, weight: float = 1.0) -> types.Datum:
        """The example for `cross_entropy`: every trained token has this weight."""
        return types.Datum(
            model_input=types.ModelInput.from_ints(self.tokens[:-1].tolist()),
            loss_fn_inputs={
                "target_tokens": self.tokens[1:].astype(np.int64),
                "weights": self.trained[1:].astype(np.float32) * np.float32(weight),
            },
        )


@frozen(eq=False)
class RenderedPair:
    """Both continuations of a preference."""

    chosen: Rendered
    rejected: Rendered

    @property
    def line(self) -> int:
        return self.chosen.line

    @property
    def both(self) -> tuple[Rendered, Rendered]:
        return self.chosen, self.rejected


@frozen
class RenderedData:
    """What a run trains on, and what was left out on the way."""

    rows: Sequence[Rendered] = field(repr=False)
    """Each row; of preference pairs both sides, the chosen one first."""
    pairs: bool
    dropped: Sequence[Problem] = field(repr=False)
    """Rows that were left out, and why."""

    def __len__(self) -> int:
        return len(self.rows) // 2 if self.pairs else len(self.rows)

    def group(self, index: int) -> Sequence[Rendered]:
        """The rows of one example: one, or the two of a pair."""
        size = 2 if self.pairs else 1
        return self.rows[index * size : (index + 1) * size]


def render(
    examples: Examples,
    tokenizer: Tokenizer,
    *,
    train_on: TrainOn | None = None,
    chat_template: str | None = None,
    max_length: int | None = None,
    long_rows: LongRows = "truncate",
) -> RenderedData:
    """Turn examples into tokens.

    Args:
        examples: From `examples.recognize`.
        tokenizer: The model's.
        train_on: See `TrainSettings.train_on`.
        chat_template: Template to use instead of the tokenizer's.
        max_length: Tokens of a row at most; None: no limit.
        long_rows: What happens to longer ones: `truncate` cuts their end, `drop` leaves them out, `refuse` is an error.

    Raises:
        DataError: A row cannot be rendered, has nothing to train on, or loses all of it to truncation. It lists the
            lines of all such rows.
    """
    rows: list[Rendered] = []
    dropped: list[Problem] = []
    problems: list[Problem] = []
    for example in examples.examples:
        sides = (
            (example.chosen, example.rejected) if isinstance(example, Preference) else (example,)
        )
        try:
            rendered = [_render(side, tokenizer, train_on, chat_template) for side in sides]
            too_long = max(len(row.tokens) for row in rendered)
            if max_length is not None and too_long > max_length:
                if long_rows == "refuse":
                    raise DataError(f"it has {too_long} tokens, more than {max_length}")
                if long_rows == "drop":
                    dropped.append(
                        Problem(example.line, f"{too_long} tokens, more than {max_length}")
                    )
                    continue
                rendered = [_truncated(row, max_length) for row in rendered]
        except (DataError, TokenizerError, ValueError) as error:
            problems.append(Problem(example.line, str(error).rstrip(".")))
        else:
            rows += rendered
    if problems:
        raise DataError(
            f"{len(problems)} of {len(examples)} rows of {examples.source} cannot be trained on.",
            problems,
        )
    if not rows:
        raise DataError(
            f"No row of {examples.source} is left: all are longer than {max_length} tokens."
        )
    return RenderedData(rows, examples.format == "preference", dropped)


def _render(
    example: Conversation | Completion | Document,
    tokenizer: Tokenizer,
    train_on: TrainOn | None,
    chat_template: str | None,
) -> Rendered:
    if isinstance(example, Conversation):
        row = _conversation(example, tokenizer, train_on, chat_template)
    elif isinstance(example, Completion):
        row = _completion(example, tokenizer, train_on)
    else:
        tokens = _closed(tokenizer.encode(example.text), tokenizer)
        row = _rendered(example.line, tokens, [True] * len(tokens))
    if len(row.tokens) < 2 or not row.trained_count:
        raise DataError("it has no token to train on")
    return row


def _rendered(line: int, tokens: Sequence[int], trained: Sequence[bool]) -> Rendered:
    mask = np.asarray(trained, dtype=np.bool_)
    mask[:1] = False  # nothing predicts the first token
    return Rendered(line, np.asarray(tokens, dtype=np.int32), mask)


def _closed(tokens: list[int], tokenizer: Tokenizer) -> list[int]:
    """With the token that ends a text, where the tokenizer has one, so that the model learns to stop."""
    end = tokenizer.eos_token_id
    return tokens if end is None or tokens[-1:] == [end] else [*tokens, end]


def _completion(example: Completion, tokenizer: Tokenizer, train_on: TrainOn | None) -> Rendered:
    prompt = tokenizer.encode(example.prompt) if example.prompt else []
    completion = _closed(
        tokenizer.encode(example.completion, add_special_tokens=not prompt), tokenizer
    )
    trained = [train_on == "all"] * len(prompt) + [True] * len(completion)
    return _rendered(example.line, prompt + completion, trained)


def _truncated(row: Rendered, max_length: int) -> Rendered:
    cut = len(row.tokens) - max_length
    if cut <= 0:
        return row
    shorter = evolve(
        row, tokens=row.tokens[:max_length], trained=row.trained[:max_length], truncated=cut
    )
    if not shorter.trained_count:
        raise DataError(
            f"cut to {max_length} tokens it has nothing left to train on (its {row.trained_count} trained tokens come "
            f"later, it has {len(row.tokens)} in all): raise max_length, or drop long rows"
        )
    return shorter


def template_of(path: str | None) -> str | None:
    """The template in a file.

    Raises:
        RecipeError: It cannot be read.
    """
    if path is None:
        return None
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"The chat template {path} cannot be read: {error}.") from None


def _conversation(
    example: Conversation, tokenizer: Tokenizer, train_on: TrainOn | None, chat_template: str | None
) -> Rendered:
    """Rendered by the chat template; the trained part is what the model would write."""
    wanted = train_on or ("flags" if example.has_flags else "assistant")
    chat = trained_tokens(
        tokenizer,
        example.messages,
        train_on=wanted,
        tools=example.tools,
        chat_template=chat_template,
    )
    _check_kept(example, chat.text)
    return _rendered(example.line, chat.tokens, chat.trained)


def _check_kept(example: Conversation, text: str) -> None:
    """What the assistant says must be in the rendered text, or the model learns something else.

    Raises:
        DataError: The template left something out, such as reasoning inside the content, or changed it.
    """
    for index, message in enumerate(example.messages):
        if message["role"] != "assistant":
            continue
        content = message["content"]
        parts = (
            [content] if isinstance(content, str) else [part.get("text", "") for part in content]
        )
        for part in parts:
            if part.strip() not in text:
                raise DataError(
                    f"the chat template changes or leaves out what messages[{index}] says ({part.strip()[:40]!r}): put "
                    "reasoning into `reasoning_content`, split the conversation, or pass another chat_template"
                )
