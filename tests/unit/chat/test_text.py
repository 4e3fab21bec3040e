"""Text, reasoning and tool calls do not depend on how the text is cut into pieces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, strategies as st

from tinker_local.chat.text import Assembler, Channels, Splitter, StopStrings, ThinkTags
from tinker_local.chat.tool_calls import ToolCall, family_of

HERMES = family_of("… <tool_call> …")


class Cut:
    """Tokens that are pieces of a text."""

    def __init__(self, pieces: Sequence[str]) -> None:
        self.pieces = pieces

    def push(self, token: int) -> str:
        return self.pieces[token]


def cuts(text: str) -> Iterator[list[str]]:
    """The text in pieces of one character, of three, and whole."""
    for size in (1, 3, len(text) or 1):
        yield [text[i : i + size] for i in range(0, len(text), size)]


def assembled(
    pieces: Sequence[str], splitter: Splitter | None, stops: Sequence[str] = (), tools: bool = False
) -> tuple[str, str, list[ToolCall], str | None]:
    """Reasoning, content, tool calls and the stop string."""
    made = Assembler(
        (Cut(pieces).push, lambda: ""), frozenset(), stops, splitter, HERMES if tools else None
    )
    found = [piece for token in range(len(pieces)) for piece in made.push(token)] + made.finish()
    by_kind = dict.fromkeys(("reasoning", "content"), "")
    for piece in found:
        assert piece.text
        by_kind[piece.kind] += piece.text
    return by_kind["reasoning"], by_kind["content"], made.tool_calls, made.stop_string


@pytest.mark.parametrize(
    ("text", "is_open", "reasoning", "content"),
    [
        ("plain text", False, "", "plain text"),
        ("  plain ", False, "", "  plain "),
        ("<think>why\n</think>\n\nso", False, "why", "so"),
        ("\n<think>\nwhy\n\nnot</think>so ", False, "why\n\nnot", "so "),
        ("why\n</think>so", True, "why", "so"),
        ("why, and no end", True, "why, and no end", ""),
        ("<think></think>so", False, "", "so"),
        ("<think>\n\n</think>\n\nso", False, "", "so"),
        ("<thin", False, "", "<thin"),
        ("a <think>b</think>", False, "", "a <think>b</think>"),
        ("<think>a</thi", False, "a</thi", ""),
        ("<think>a</think>b</think>c", False, "a", "b</think>c"),
        ("", True, "", ""),
    ],
)
def test_reasoning_in_tags(text: str, is_open: bool, reasoning: str, content: str) -> None:
    for pieces in cuts(text):
        found = assembled(pieces, ThinkTags(is_open=is_open))
        assert found[:2] == (reasoning, content), pieces


@pytest.mark.parametrize(
    ("text", "reasoning", "content", "calls"),
    [
        (
            "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>so",
            "hm",
            "so",
            [],
        ),
        (
            "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>commentary "
            'to=functions.f <|constrain|>json<|message|>{"a": 1}<|call|>',
            "hm",
            "",
            [ToolCall("f", '{"a": 1}')],
        ),
        (
            '<|channel|>commentary to=functions.g<|message|>{"a": 1}',
            "",
            "",
            [ToolCall("g", '{"a": 1}')],
        ),
        ("<|channel|>final<|message|>cut", "", "cut", []),
        ("<|channel|>commentary<|message|>first<|end|>", "", "first", []),
        ("something else", "", "something else", []),
    ],
)
def test_reasoning_in_channels(
    text: str, reasoning: str, content: str, calls: list[ToolCall]
) -> None:
    for pieces in cuts(text):
        assert assembled(pieces, Channels())[:3] == (reasoning, content, calls), pieces


@pytest.mark.parametrize(
    ("text", "content", "calls"),
    [
        ("nothing", "nothing", []),
        (
            '<tool_call>{"name": "f", "arguments": {"a": 1}}</tool_call>',
            "",
            [ToolCall("f", '{"a": 1}')],
        ),
        (
            'first\n<tool_call>\n{"name": "f", "arguments": {}}\n</tool_call>\n<tool_call>'
            '{"name": "g", "arguments": {}}',
            "first",
            [ToolCall("f", "{}"), ToolCall("g", "{}")],
        ),
        ("a <tool_call>{broken", "a<tool_call>{broken", []),
        ("a <tool_call> b</tool_call>", "a<tool_call> b</tool_call>", []),
        ("a <tool", "a <tool", []),
        ("a < b  ", "a < b  ", []),
    ],
)
def test_tool_calls(text: str, content: str, calls: list[ToolCall]) -> None:
    for pieces in cuts(text):
        assert assembled(pieces, ThinkTags(is_open=False), tools=True)[:3] == ("", content, calls)


def test_tool_calls_inside_of_the_reasoning_are_reasoning() -> None:
    text = '<think><tool_call>{"name": "f"}</tool_call></think>so'
    for pieces in cuts(text):
        found = assembled(pieces, ThinkTags(is_open=False), tools=True)
        assert found[:3] == ('<tool_call>{"name": "f"}</tool_call>', "so", [])


@given(st.text("ab<", max_size=12), st.lists(st.text("ab<", min_size=1, max_size=3), max_size=3))
def test_stop_strings(text: str, stops: list[str]) -> None:
    places = sorted((text.find(stop), stop) for stop in stops if stop in text)
    for pieces in cuts(text):
        cut = StopStrings(stops)
        found = "".join([*map(cut.push, pieces), cut.finish()])
        if not places:
            assert (found, cut.found) == (text, None)
        else:
            # Of two that overlap, which one is complete first may depend on the pieces; none is ever returned.
            assert text.startswith(found)
            assert cut.found in stops
            assert not any(stop in found for stop in stops)
        assert cut.released == len(found)


@given(st.text("<think>/abc \n", max_size=30), st.booleans())
def test_nothing_is_lost(text: str, is_open: bool) -> None:
    """Except for blanks and the tags themselves."""
    expected = None
    for pieces in cuts(text):
        reasoning, content, _, _ = assembled(pieces, ThinkTags(is_open=is_open))
        kept = "".join((reasoning + content).split())
        whole = "".join(text.split())
        for tag in ("<think>", "</think>"):
            if tag not in reasoning + content:
                whole, kept = whole.replace(tag, ""), kept.replace(tag, "")
        expected = expected or (reasoning, content)
        assert (reasoning, content) == expected
        assert len(kept) >= len(whole) - len("<think></think>")


def test_the_token_that_ends_a_turn_is_not_text() -> None:
    made = Assembler((Cut(["a", "<eos>", "b"]).push, lambda: ""), frozenset({1}), [], None, None)
    # In the middle it is text: only the last token can have ended the turn.
    pieces = [piece.text for token in (0, 1, 2, 1) for piece in made.push(token)]
    assert [*pieces, *(piece.text for piece in made.finish())] == ["a", "<eos>", "b"]
    assert made.shown == 3
