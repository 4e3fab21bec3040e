"""Which tokens of a conversation are trained on: found in the template's text, or refused where it leaves that open."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("jinja2")

from tinker.tokenizers import Tokenizer, TokenizerError, TrainOn, get_tokenizer, trained_tokens

Folder = Callable[..., Path]

PLAIN = """{% for m in messages %}[{{ m.role }}]{{ m.content }}<s>
{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}"""
MARKED = """{% for m in messages %}[{{ m.role }}]{% if m.role == "assistant" %}\
{% generation %}{{ m.content }}<s>{% endgeneration %}{% else %}{{ m.content }}<s>{% endif %}

{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}"""
DROPS_REASONING = """{% for m in messages %}[{{ m.role }}]\
{% if loop.last and m.role == "assistant" %}({{ m.reasoning_content or "" }}){% endif %}{{ m.content }}<s>
{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}"""
PREFILLS = """{% for m in messages %}[{{ m.role }}]{{ m.content }}<s>
{% endfor %}{% if add_generation_prompt %}[assistant](think){% endif %}"""
KEEPS_REASONING_OF_LAST_QUERY = """{% set ns = namespace(last=0) %}\
{% for m in messages %}{% if m.role == "user" %}{% set ns.last = loop.index0 %}{% endif %}{% endfor %}\
{% for m in messages %}[{{ m.role }}]\
{% if m.role == "assistant" and loop.index0 > ns.last %}({{ m.reasoning_content }}){% endif %}{{ m.content }}<s>
{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}"""
JOINED = """{% for m in messages %}{% set n = loop.index0 + 1 %}{% if m.role != "tool" %}[{{ m.role }}]{{ m.content }}\
{% for c in m.tool_calls or [] %}{{ c.function.name }}()={{ (messages[n] | default({})).content }}{% endfor %}<s>
{% endif %}{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}"""

CHAT = [
    {"role": "user", "content": "Hi é"},
    {"role": "assistant", "content": "You, 日本"},
    {"role": "user", "content": "Why?"},
    {"role": "assistant", "content": "So.", "reasoning_content": "hm"},
]


@pytest.fixture
def tokenizer(folder: Folder) -> Tokenizer:
    return get_tokenizer(folder(tokenizer_config={"bos_token": "<s>"}))


def parts(tokenizer: Tokenizer, template: str, chat: Any = CHAT, **options: Any) -> list[str]:
    """The runs of trained tokens, as text."""
    found = trained_tokens(tokenizer, chat, chat_template=template, **options)
    assert found.tokens == tokenizer.encode(found.text, add_special_tokens=False)
    runs: list[list[int]] = []
    before = False
    for token, trained in zip(found.tokens, found.trained, strict=True):
        if trained and not before:
            runs.append([])
        if trained:
            runs[-1].append(token)
        before = trained
    return [tokenizer.decode(run) for run in runs]


@pytest.mark.parametrize("template", [PLAIN, MARKED])
def test_what_the_model_writes_ends_with_the_token_that_ends_its_turn(
    tokenizer: Tokenizer, template: str
) -> None:
    assert parts(tokenizer, template) == ["You, 日本<s>", "So.<s>"]
    assert parts(tokenizer, template, train_on="last") == ["So.<s>"]
    assert "".join(parts(tokenizer, template, train_on="all")) == tokenizer.apply_chat_template(
        CHAT, chat_template=template, tokenize=False
    )


@pytest.mark.parametrize("template", [PLAIN, MARKED])
def test_flags_choose_among_the_assistants_messages(tokenizer: Tokenizer, template: str) -> None:
    for flag in ({"train": False}, {"weight": 0}, {"weight": 0.0, "train": False}):
        chat = [CHAT[0], {**CHAT[1], **flag}, *CHAT[2:]]
        assert parts(tokenizer, template, chat, train_on="flags") == ["So.<s>"]
        assert parts(tokenizer, template, chat) == ["You, 日本<s>", "So.<s>"]


def test_templates_that_rewrite_earlier_messages(tokenizer: Tokenizer) -> None:
    assert parts(tokenizer, DROPS_REASONING) == ["You, 日本<s>", "(hm)So.<s>"]
    three = [*CHAT, {"role": "user", "content": "A?"}, {"role": "assistant", "content": "B"}]
    assert parts(tokenizer, DROPS_REASONING, three) == ["You, 日本<s>", "So.<s>", "()B<s>"]


@pytest.mark.parametrize(
    ("template", "chat", "train_on", "words"),
    [
        (PREFILLS, CHAT, "assistant", "is not how the message begins"),
        (JOINED.replace("[assistant]", "[x]"), CHAT, "assistant", "is not how the message begins"),
        (PLAIN, CHAT[1:], "assistant", "before the first message"),
        (PLAIN, CHAT[:1], "assistant", "No message"),
        (PLAIN, CHAT[:3], "last", "ends with an assistant message"),
        (PLAIN, [{**CHAT[0], "train": True}, *CHAT[1:]], "flags", r"messages\[0\] is flagged"),
        (PLAIN, [CHAT[0], {**CHAT[1], "weight": 2}], "flags", "`weight` 0 or 1"),
        (PLAIN, [CHAT[0], {**CHAT[1], "weight": 0, "train": True}], "flags", "must agree"),
        (PLAIN, [{**one, "train": False} for one in CHAT], "flags", "No message|flagged"),
        (
            "[]{% if messages[1:] %}{{ messages[1].content * 2 }}{% endif %}",
            CHAT[:2],
            "assistant",
            "2 times",
        ),
        ("{{ messages[0].content }}", CHAT[:2], "assistant", "0 times"),
    ],
)
def test_what_a_template_or_a_flag_leaves_open_is_refused(
    tokenizer: Tokenizer, template: str, chat: Any, train_on: TrainOn, words: str
) -> None:
    with pytest.raises(TokenizerError, match=words):
        trained_tokens(tokenizer, chat, chat_template=template, train_on=train_on)


@pytest.mark.parametrize("messages", [["hi"], [{"content": "hi"}]])
def test_messages_that_are_none(tokenizer: Tokenizer, messages: Any) -> None:
    with pytest.raises(TypeError, match=r"messages\[0\] is not a dict with a role"):
        trained_tokens(tokenizer, messages, chat_template=PLAIN)


def test_calls_of_tools_are_part_of_the_turn_or_refused(tokenizer: Tokenizer) -> None:
    call = {"type": "function", "function": {"name": "weather", "arguments": {}}}
    chat: list[dict[str, Any]] = [
        CHAT[0],
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "content": "sunny"},
        {"role": "assistant", "content": "Sunny."},
    ]
    calls = PLAIN.replace(
        "<s>", "{% for c in m.tool_calls or [] %}{{ c.function.name }}(){% endfor %}<s>"
    )
    assert parts(tokenizer, calls, chat) == ["weather()<s>", "Sunny.<s>"]
    with pytest.raises(TokenizerError, match="leaves out the call of 'weather'"):
        trained_tokens(tokenizer, chat, chat_template=PLAIN)
    with pytest.raises(TokenizerError, match="together with the next message"):
        trained_tokens(tokenizer, chat, chat_template=JOINED)


def test_turns_before_the_last_query(tokenizer: Tokenizer) -> None:
    chat: list[dict[str, Any]] = [
        {"role": "user", "content": "A?"},
        {"role": "assistant", "content": "look", "reasoning_content": "r1"},
        {"role": "tool", "content": "sunny"},
        {"role": "assistant", "content": "A.", "reasoning_content": "r2"},
        {"role": "user", "content": "B?"},
        {"role": "assistant", "content": "B.", "reasoning_content": "r3"},
    ]
    assert parts(tokenizer, KEEPS_REASONING_OF_LAST_QUERY, chat) == [
        "look<s>",
        "A.<s>",
        "(r3)B.<s>",
    ]
    chat[2]["content"] = "x[assistant]y"
    with pytest.raises(TokenizerError, match="a message contains '.assistant.'"):
        trained_tokens(tokenizer, chat, chat_template=KEEPS_REASONING_OF_LAST_QUERY)


def test_other_values_of_train_on_are_named(tokenizer: Tokenizer) -> None:
    with pytest.raises(ValueError, match="train_on is 'user'; it must be one of"):
        trained_tokens(tokenizer, CHAT, chat_template=PLAIN, train_on="user")  # type: ignore[arg-type]
