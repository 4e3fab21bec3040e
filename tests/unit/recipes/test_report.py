"""What a report remarks on conversations, and which rows it counts as the same."""

from __future__ import annotations

from typing import Any

import pytest

from tinker.recipes import DataReport, recognize, render
from tinker.recipes.report import report
from tinker.recipes.rows import Row, Rows
from tinker.tokenizers import get_tokenizer

TEMPLATE = (
    "{% for m in messages %}<{{m.role}}>{{m.content}}<eos>{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
ASK, TELL = {"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}
SYSTEM = {"role": "system", "content": "s"}
SILENT = {"role": "assistant", "content": ""}


def reported(*values: Any) -> DataReport:
    examples = recognize(
        Rows("x", "jsonl", [Row(line, value) for line, value in enumerate(values, 1)], "")
    )
    data = render(examples, get_tokenizer("tinker-local/bytes"), chat_template=TEMPLATE)
    return report(examples, data, range(len(data)), [])


def test_the_longest_rows_are_three_rows() -> None:
    """A pair is a row, though both of its answers are read."""
    pairs = [{"prompt": "a" * n, "chosen": "b", "rejected": "cc"} for n in (1, 3, 2, 4)]
    assert [line for line, _ in reported(*pairs).longest] == [4, 2, 3]


@pytest.mark.parametrize(
    ("chats", "notes"),
    [
        ([[ASK, TELL], [ASK, TELL]], []),
        ([[SYSTEM, ASK, TELL], [ASK, TELL]], ["1 of 2 conversations have no system message."]),
        (
            [[SYSTEM, TELL], [SYSTEM, ASK, TELL]],
            ["1 of 2 conversations have no message of the user."],
        ),
        ([[ASK, SILENT]], ["1 of 1 conversations have an empty message of the assistant."]),
        ([[ASK, TELL, ASK]], ["1 of 1 conversations do not end with the assistant."]),
        (
            [[ASK, TELL, ASK, TELL], [ASK, TELL]],
            ["Conversations have 1 to 2 turns of the assistant."],
        ),
    ],
)
def test_remarks_on_conversations(chats: list[Any], notes: list[str]) -> None:
    assert reported(*chats).notes == notes


def test_rows_that_repeat_earlier_ones() -> None:
    found = reported({"text": "ab"}, {"text": "cd"}, {"text": "ab"}, {"text": "ab"})
    assert (found.duplicates, found.notes) == ([(3, 1), (4, 1)], [])
    pair = {"prompt": "p", "chosen": "c", "rejected": "r"}
    assert reported(pair, {**pair, "rejected": "s"}, pair).duplicates == [(3, 1)]
