"""Examples as tokens: what is trained on, and what is refused because it would train on the wrong text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tinker.recipes import DataError, RecipeError, recognize, render
from tinker.recipes.rendering import template_of
from tinker.recipes.rows import Row, Rows
from tinker.recipes.settings import LongRows
from tinker.tokenizers import Tokenizer, TrainOn, get_tokenizer

PLAIN = "{% for m in messages %}<{{m.role}}>{{m.content}}<eos>{% endfor %}{% if add_generation_prompt %}<assistant>{% endif %}"
THINKING = PLAIN.replace("<assistant>{% endif %}", "<assistant><think>{% endif %}")
DROPS_REASONING = PLAIN.replace("m.content", "m.content.split('</think>')[-1]")


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return get_tokenizer("tinker-local/bytes")


def rows(*values: object) -> Rows:
    return Rows("data.jsonl", "jsonl", [Row(n, value) for n, value in enumerate(values, 1)], "")


def chat(*contents: str) -> dict[str, object]:
    roles = ("user", "assistant")
    return {
        "messages": [{"role": roles[n % 2], "content": text} for n, text in enumerate(contents)]
    }


def trained(
    tokenizer: Tokenizer,
    value: object,
    train_on: TrainOn | None = None,
    template: str | None = PLAIN,
) -> bytes:
    (row,) = render(
        recognize(rows(value)), tokenizer, train_on=train_on, chat_template=template
    ).rows
    assert not row.trained[0]
    return bytes(int(t) if t < 256 else 0 for t in row.tokens[row.trained])


def test_what_is_trained_on(tokenizer: Tokenizer) -> None:
    value = chat("a?", "b", "c?", "d")
    assert trained(tokenizer, value) == b"b\0d\0"
    assert trained(tokenizer, value, "last") == b"d\0"
    assert trained(tokenizer, value, "all") == b"user>a?\0<assistant>b\0<user>c?\0<assistant>d\0"
    messages = [dict(m) for m in value["messages"]]  # type: ignore[attr-defined]
    messages[1]["weight"] = 0
    assert trained(tokenizer, {"messages": messages}) == b"d\0"
    assert trained(tokenizer, {"prompt": "1+1=", "completion": "2"}) == b"2\0"
    assert trained(tokenizer, {"text": "abc"}) == b"bc\0"


def test_a_datum_predicts_each_next_token(tokenizer: Tokenizer) -> None:
    (row,) = render(recognize(rows({"prompt": "ab", "completion": "c"})), tokenizer).rows
    datum = row.datum(0.5)
    assert datum.model_input.to_ints() == list(b"abc")
    assert datum.loss_fn_inputs["target_tokens"].tolist() == [*b"bc", 256]
    np.testing.assert_array_equal(datum.loss_fn_inputs["weights"].to_numpy(), [0, 0.5, 0.5])


@pytest.mark.parametrize(
    ("template", "value", "words"),
    [
        (THINKING, chat("a?", "b"), "generation prompt"),
        (DROPS_REASONING, chat("a?", "<think>x</think>b"), "leaves out what messages"),
        ("{{ raise_exception('no tools') }}", chat("a?", "b"), "no tools"),
    ],
)
def test_a_template_that_trains_on_the_wrong_text_is_refused_by_line(
    tokenizer: Tokenizer, template: str, value: object, words: str
) -> None:
    with pytest.raises(DataError, match=words) as failure:
        render(recognize(rows(chat("a", "b"), value)), tokenizer, chat_template=template)
    assert 2 in [problem.line for problem in failure.value.problems]


def test_rows_without_anything_to_train_on(tokenizer: Tokenizer) -> None:
    flagged = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": ""}]}
    for value, options, words in (
        (
            {"prompt": "a" * 9, "completion": "b"},
            {"max_length": 4},
            "cut to 4 tokens it has nothing",
        ),
        (
            {"prompt": "a" * 9, "completion": "b"},
            {"max_length": 4, "long_rows": "drop"},
            "No row of",
        ),
        (flagged, {"chat_template": "{{ messages[0].content }}"}, "cannot be trained on"),
    ):
        with pytest.raises(DataError, match=words):
            render(recognize(rows(value)), tokenizer, **options)


def test_parts_of_a_message_are_looked_for_one_by_one(tokenizer: Tokenizer) -> None:
    template = PLAIN.replace("m.content", "m.content if m.content is string else m.content[0].text")
    parts = [{"type": "text", "text": "b"}, {"type": "text", "text": "kept?"}]
    value = {
        "messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": parts}]
    }
    with pytest.raises(DataError, match=r"leaves out what messages\[1\] says \('kept\?'\)"):
        render(recognize(rows(value)), tokenizer, chat_template=template)


def test_the_template_of_a_file(tmp_path: Path) -> None:
    assert template_of(None) is None
    (tmp_path / "a.jinja").write_text("{{ 1 }}")
    assert template_of(str(tmp_path / "a.jinja")) == "{{ 1 }}"
    with pytest.raises(RecipeError, match=r"The chat template .*none cannot be read"):
        template_of(str(tmp_path / "none"))


@pytest.mark.parametrize("policy", ["truncate", "drop", "refuse"])
def test_pairs_stay_pairs_when_rows_are_long(tokenizer: Tokenizer, policy: LongRows) -> None:
    long = {"prompt": "p", "chosen": "c" * 30, "rejected": "r"}
    short = {"prompt": "p", "chosen": "c", "rejected": "r"}
    examples = recognize(rows(short, long, short))
    if policy == "refuse":
        with pytest.raises(DataError, match="line 2"):
            render(examples, tokenizer, max_length=8, long_rows=policy)
        return
    data = render(examples, tokenizer, max_length=8, long_rows=policy)
    assert data.pairs
    assert len(data) == (3 if policy == "truncate" else 2)
    assert [len(data.group(n)) for n in range(len(data))] == [2] * len(data)
    assert [problem.line for problem in data.dropped] == ([] if policy == "truncate" else [2])
