"""Data files: what is read, what it is taken for and why, and how a bad row is named by its line."""

from __future__ import annotations

import gzip
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tinker.recipes import (
    Completion,
    Conversation,
    DataError,
    Document,
    Preference,
    read,
    recognize,
)
from tinker.recipes.examples import Format
from tinker.recipes.rows import Row, Rows

CHAT = {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]}
SHAREGPT = {"conversations": [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "hello"}]}
ALPACA = {"instruction": "add", "input": "1 2", "output": "3"}
COMPLETION = {"prompt": "1+1=", "completion": "2"}
PREFERENCE = {"prompt": "hi", "chosen": "hello", "rejected": "go away"}
TEXT = {"text": "once upon a time"}


def write(path: Path, *rows: Any) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize(
    ("row", "name", "kind"),
    [
        (CHAT, "chat", Conversation),
        (CHAT["messages"], "chat", Conversation),
        ({"conversations": CHAT["messages"]}, "chat", Conversation),
        (SHAREGPT, "sharegpt", Conversation),
        (ALPACA, "alpaca", Conversation),
        (COMPLETION, "completion", Completion),
        (
            {"prompt": CHAT["messages"][:1], "completion": CHAT["messages"][1:]},
            "completion",
            Conversation,
        ),
        (PREFERENCE, "preference", Preference),
        (
            {
                "input": {"messages": CHAT["messages"][:1]},
                "preferred_output": CHAT["messages"][1:],
                "non_preferred_output": [{"role": "assistant", "content": "no"}],
            },
            "preference",
            Preference,
        ),
        (TEXT, "text", Document),
    ],
)
def test_formats_are_recognized_with_the_reason(
    tmp_path: Path, row: Any, name: str, kind: type
) -> None:
    examples = recognize(read(write(tmp_path / "data.jsonl", row, row)))
    assert examples.format == name
    assert len(examples) == 2
    assert all(isinstance(example, kind) for example in examples.examples)
    assert [example.line for example in examples.examples] == [1, 2]
    assert examples.reason


def test_the_same_conversation_in_three_formats() -> None:
    def messages(value: Any) -> list[dict[str, Any]]:
        (example,) = recognize(Rows("x", "jsonl", [Row(1, value)], "")).examples
        assert isinstance(example, Conversation)
        return example.messages

    assert messages(SHAREGPT) == messages(CHAT) == CHAT["messages"]
    assert messages(ALPACA) == [
        {"role": "user", "content": "add\n\n1 2"},
        {"role": "assistant", "content": "3"},
    ]


def test_containers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = write(tmp_path / "a.jsonl", CHAT, CHAT)
    array = tmp_path / "a.json"
    array.write_text(json.dumps([CHAT, CHAT], indent=2))
    zipped = tmp_path / "a.jsonl.gz"
    zipped.write_bytes(gzip.compress(lines.read_bytes()))
    for path, container in ((lines, "jsonl"), (array, "json"), (zipped, "jsonl")):
        rows = read(path)
        assert (rows.container, [row.value for row in rows.rows]) == (container, [CHAT, CHAT])
    assert [row.line for row in read(array).rows] == [2, 14]
    array.write_text(json.dumps([CHAT, CHAT]))  # on one line: the number of the row says more
    assert [row.line for row in read(array).rows] == [1, 2]

    class Stdin:
        buffer = io.BytesIO(lines.read_bytes())

    monkeypatch.setattr(sys, "stdin", Stdin())
    assert [row.value for row in read("-").rows] == [CHAT, CHAT]


def test_csv_and_text(tmp_path: Path) -> None:
    table = tmp_path / "a.csv"
    table.write_text('prompt,completion\n"two\nlines",b\nc,d\n')
    rows = read(table)
    assert [(row.line, row.value["prompt"]) for row in rows.rows] == [(2, "two\nlines"), (4, "c")]
    text = tmp_path / "a.txt"
    text.write_text("first\nparagraph\n\n\nsecond\n")
    assert [(row.line, row.value) for row in read(text).rows] == [
        (1, "first\nparagraph"),
        (5, "second"),
    ]
    assert recognize(read(text)).format == "text"


def test_parquet(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    path = tmp_path / "a.parquet"
    parquet.write_table(pyarrow.Table.from_pylist([COMPLETION, COMPLETION]), path)
    assert recognize(read(path)).format == "completion"


def test_a_separator_inside_a_string_is_not_the_end_of_a_line(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps({"text": "a\u2028b"}, ensure_ascii=False) + "\n")
    assert [row.value for row in read(path).rows] == [{"text": "a\u2028b"}]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"  \n", "empty"),
        (b"[]\n", "is a list"),
        (b'null\n{"text": "a"}\n', "line 1: this row is null"),
        ('{"text": "ä"}'.encode("latin-1"), "not UTF-8"),
        (b'{"text": "a"}\n{"text": \n', "line 2: not valid JSON"),
        (
            b'{"text": "a"}\n{"prompt": "a", "completion": "b"}\n',
            "line 2: this row looks like completion",
        ),
        (b'{"question": "a"}\n', "question"),
        (b"\x1f\x8bnot gzip", "gzip"),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(content)
    with pytest.raises(DataError, match=words):
        recognize(read(path))


BAD_ROWS: list[tuple[Any, str]] = [
    ({"messages": "hi"}, "must be a list"),
    ({"messages": []}, "empty"),
    ({"messages": [{"role": "user", "content": "hi"}]}, "no message of the assistant"),
    ({"messages": [{"role": "bot", "content": "hi"}]}, "'bot' is not one of"),
    ({"messages": [{"content": "hi"}]}, r"messages\[0\] has no `role`"),
    ({"messages": [{"role": "assistant"}]}, r"messages\[0\] has no `content`"),
    ({"messages": [{"role": "assistant", "content": 7}]}, "string or a list of parts"),
    ({"messages": [{"role": "assistant", "content": "a", "weight": 0.5}]}, "must be 0 or 1"),
    (
        {"messages": [{"role": "assistant", "content": "a", "weight": 1, "train": False}]},
        "contradict",
    ),
    ({"messages": [{"role": "assistant", "content": "a"}], "tools": "nonsense"}, "tools"),
    ({"conversations": [{"from": "gpt", "value": "a"}, {"from": "who", "value": "b"}]}, "'who'"),
    ({"instruction": "a", "output": ""}, "nothing to train on"),
    ({"prompt": "a", "completion": 3}, "non-empty string"),
    ({"prompt": "a", "chosen": "b", "rejected": "b"}, "the same"),
    ({"text": "  "}, "empty"),
]


@pytest.mark.parametrize(("row", "words"), BAD_ROWS, ids=[words for _, words in BAD_ROWS])
def test_a_bad_row_is_named_by_line_and_reason(tmp_path: Path, row: Any, words: str) -> None:
    good = {"text": TEXT, "messages": CHAT, "conversations": SHAREGPT, "instruction": ALPACA}.get(
        next(iter(row)), PREFERENCE if "chosen" in row else COMPLETION
    )
    path = write(tmp_path / "a.jsonl", good, row, good)
    with pytest.raises(DataError, match=words) as failure:
        recognize(read(path))
    assert [problem.line for problem in failure.value.problems] == [2]
    assert "1 of 3 rows" in str(failure.value)


MESSAGE = {"role": "assistant", "content": "a"}
PAIR = {"chosen": "a", "rejected": "b"}


@pytest.mark.parametrize(
    ("input_format", "value", "words"),
    [
        ("chat", {"messages": ["hi"]}, r"messages\[0\] must be an object"),
        ("chat", {"messages": [{**MESSAGE, "tool_calls": "f"}]}, "`tool_calls` must be a list"),
        (
            "chat",
            {"messages": [{**MESSAGE, "content": ["a"]}]},
            "part of `content` must be an object",
        ),
        ("chat", {"messages": [{**MESSAGE, "content": [{"text": 1}]}]}, "its `text` a string"),
        ("chat", {"messages": [MESSAGE], "tools": ["f"]}, "`tools` must be a list of objects"),
        ("chat", {"messages": [MESSAGE], "tools": 7}, "`tools` must be a list of objects"),
        ("sharegpt", {"conversations": []}, "non-empty list"),
        ("sharegpt", {"conversations": [{"from": "gpt"}]}, "must have `from` and `value`"),
        ("sharegpt", {"conversations": [{"from": ["gpt"], "value": "a"}]}, "`from` is"),
        ("sharegpt", {"conversations": [{"from": "human", "value": "a"}]}, "no message of the ass"),
        ("alpaca", {"instruction": "", "output": "a"}, "`instruction` is empty"),
        ("alpaca", {"instruction": 7, "output": "a"}, "`instruction` is a number"),
        ("alpaca", {"instruction": {"a": 1}, "output": "a"}, "`instruction` has the keys a"),
        ("alpaca", ["a"], "the row is a list; it must be an object"),
        ("completion", {"prompt": 7, "completion": "a"}, "`prompt` must be a string or a list"),
        (
            "completion",
            {"prompt": "", "completion": [CHAT["messages"][0]]},
            "no message of the ass",
        ),
        ("preference", {**PAIR, "prompt": True}, "`prompt` must be a string or a list"),
        ("preference", {"chosen": [MESSAGE], "rejected": [MESSAGE]}, "are the same"),
        ("text", {"txt": "a"}, "`text` is empty"),
        ("text", ["a"], "the row is a list; it must be an object"),
    ],
)
def test_a_row_that_does_not_fit_the_format_given(
    input_format: Format, value: Any, words: str
) -> None:
    with pytest.raises(DataError, match=words) as failure:
        recognize(Rows("x", "jsonl", [Row(3, value)], ""), input_format)
    assert [problem.line for problem in failure.value.problems] == [3]


def test_formats_that_are_not_known_and_sources_without_rows() -> None:
    with pytest.raises(DataError, match="'cvs' is not known; it is one of chat, sharegpt"):
        recognize(Rows("x", "jsonl", [Row(1, TEXT)], ""), "cvs")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="x has no rows"):
        recognize(Rows("x", "parquet", [], ""))


def test_what_rows_may_hold_beside_the_answer() -> None:
    """System prompts, tools as JSON in a string, prompts of messages, and whole conversations as a pair."""
    system = {"role": "system", "content": "be kind"}
    tool = {"type": "function", "function": {"name": "f"}}

    def example(value: Any) -> Any:
        return recognize(Rows("x", "jsonl", [Row(1, value)], "")).examples[0]

    sharegpt = example({**SHAREGPT, "system": "be kind", "tools": json.dumps([tool])})
    assert sharegpt == Conversation(1, [system, *CHAT["messages"]], [tool])
    assert example({**SHAREGPT, "tools": ""}).tools is None
    assert example({**ALPACA, "input": None, "system": "be kind"}).messages == [
        system,
        {"role": "user", "content": "add"},
        {"role": "assistant", "content": "3"},
    ]
    ask, good = CHAT["messages"]
    asked, bad = {**ask, "train": False}, {"role": "assistant", "content": "no"}
    told = Conversation(1, [asked, {**good, "train": True}])
    assert example({"prompt": [ask], "response": "hello"}) == told
    whole = example({"chosen": [ask, good], "rejected": [ask, bad]})
    assert whole == Preference(1, told, Conversation(1, [asked, {**bad, "train": True}]))
    assert example(PAIR) == Preference(1, Completion(1, "", "a"), Completion(1, "", "b"))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.json", b"[1, 2", "a.json is not valid JSON"),
        ("a.json", b"[ ]", "is an empty list"),
        ("a.csv", b"a,b\n1\n", "the header names 2 columns"),
        ("a.csv", b"a,b\n1,2,3\n", "line 2: the header names 2 columns"),
        ("a.csv", b'a,b\n"1,2\n', "is not valid CSV"),
        ("a.jsonl", b'{"a": 1}\n{"b"\n', "line 2: not valid JSON"),
        ("a.json", b"{\n1\n", "has lines that are not JSON"),
    ],
)
def test_damaged_files(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=words):
        read(tmp_path / name)


def test_a_damaged_parquet_file(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    (tmp_path / "a.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(DataError, match="not a valid parquet file"):
        read(tmp_path / "a.parquet")


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="none does not exist"):
        read(tmp_path / "none")
    with pytest.raises(DataError, match="is a folder; give the path of a data file"):
        read(tmp_path)
    (tmp_path / "a").write_text("x")
    with pytest.raises(DataError, match="cannot be read: Not a directory"):
        read(tmp_path / "a" / "b")


def test_rows_of_arrays_and_one_value_over_several_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("".join(json.dumps(CHAT["messages"]) + "\n" for _ in range(2)))
    assert [(row.line, row.value) for row in read(path).rows] == [
        (1, CHAT["messages"]),
        (2, CHAT["messages"]),
    ]
    path.write_text(json.dumps(CHAT, indent=2))
    assert [row.value for row in read(path).rows] == [CHAT]
    path = tmp_path / "none"
    path.write_text("no ending, so paragraphs\n")
    assert read(path).container == "txt"


def test_the_format_can_be_given(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", {**COMPLETION, **TEXT})
    assert recognize(read(path)).format == "completion"
    assert recognize(read(path), "text").format == "text"


def test_flags_of_messages() -> None:
    messages = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "a", "weight": 0},
        {"role": "assistant", "content": "b", "train": True},
    ]
    (example,) = recognize(Rows("x", "jsonl", [Row(1, {"messages": messages})], "")).examples
    assert isinstance(example, Conversation)
    assert [message.get("train") for message in example.messages] == [None, False, True]
    assert all("weight" not in message for message in example.messages)
