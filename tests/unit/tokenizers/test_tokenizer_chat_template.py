"""Chat templates: rendered as `transformers` renders them, refused clearly where they cannot be."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import json
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest

pytest.importorskip("jinja2")

from tinker.tokenizers import TokenizerError, get_tokenizer

Folder = Callable[..., Path]

TEMPLATE = """{{- bos_token }}
{%- if tools %}
    {%- for tool in tools %}
TOOL {{ tool | tojson }}
    {% endfor %}
{%- endif %}
{%- for message in messages %}
    {%- if message.role == "nobody" %}
        {{- raise_exception("nobody speaks") }}
    {%- endif %}
    {%- if loop.index > 9 %}{% break %}{% endif %}
    {%- generation %}
    {{- "[" + message.role + "]" + message.content }}
    {%- endgeneration %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- "[assistant]" }}
{%- endif %}"""
NAMED = [{"name": "other", "template": "x"}]
HI = [{"role": "user", "content": " hi <é>"}]


@pytest.fixture
def path(folder: Folder) -> Path:
    return folder(tokenizer_config={"bos_token": "<s>"}, chat_template=TEMPLATE)


def test_text_and_ids(path: Path) -> None:
    tokenizer = get_tokenizer(path)
    text = tokenizer.apply_chat_template(HI, tokenize=False, add_generation_prompt=True)
    assert text == "<s>[user] hi <é>[assistant]"
    ids = tokenizer.apply_chat_template(HI, add_generation_prompt=True)
    assert ids == tokenizer.encode(text, add_special_tokens=False)
    assert tokenizer.decode(ids) == text
    both = tokenizer.apply_chat_template(HI, add_generation_prompt=True, return_dict=True)
    assert both == {"input_ids": ids, "attention_mask": [1] * len(ids)}


def test_several_conversations(path: Path) -> None:
    tokenizer = get_tokenizer(path)
    one = tokenizer.apply_chat_template(HI)
    assert tokenizer.apply_chat_template([HI, HI]) == [one, one]


def test_tools_are_written_as_plain_json(path: Path) -> None:
    tool = {"type": "function", "function": {"name": "<search>", "about": "é'"}}
    text = get_tokenizer(path).apply_chat_template(HI, tools=[tool], tokenize=False)
    assert 'TOOL {"type": "function", "function": {"name": "<search>", "about": "é\'"}}\n' in text


def test_the_last_message_can_be_left_open(folder: Folder) -> None:
    closing = "{% for m in messages %}[{{ m.role }}]{{ m.content | trim }}[end]{% endfor %}"
    tokenizer = get_tokenizer(folder(chat_template=closing))
    messages = [*HI, {"role": "assistant", "content": "so I say "}]
    text = tokenizer.apply_chat_template(messages, tokenize=False, continue_final_message=True)
    assert text == "[user]hi <é>[end][assistant]so I say"
    assert messages[-1]["content"] == "so I say "
    with pytest.raises(TokenizerError, match="only one can be set"):
        tokenizer.apply_chat_template(
            messages, continue_final_message=True, add_generation_prompt=True
        )


def test_other_names_for_reasoning_and_empty_fields(folder: Folder) -> None:
    template = (
        "{% for m in messages %}{{ m.reasoning_content }}|{{ m.thinking }}|"
        "{{ m.tool_calls is defined }}{% endfor %}"
    )
    tokenizer = get_tokenizer(folder(chat_template=template))
    message = {"role": "assistant", "content": "x", "reasoning": "why", "tool_calls": None}
    assert tokenizer.apply_chat_template([message], tokenize=False) == "why|why|False"


def test_variables_and_the_day(folder: Folder) -> None:
    template = "{{ mode | default('none') }} {{ strftime_now('%Y') }}"
    tokenizer = get_tokenizer(folder(chat_template=template))
    year = str(datetime.datetime.now().year)
    assert tokenizer.apply_chat_template(HI, tokenize=False) == f"none {year}"
    assert tokenizer.apply_chat_template(HI, tokenize=False, mode="fast") == f"fast {year}"


def test_a_template_in_the_configuration_and_named_ones(folder: Folder) -> None:
    several = [{"name": "default", "template": "plain"}, {"name": "tool_use", "template": "tools"}]
    tokenizer = get_tokenizer(folder(tokenizer_config={"chat_template": several}))
    assert tokenizer.apply_chat_template(HI, tokenize=False) == "plain"
    assert tokenizer.apply_chat_template(HI, tools=[{}], tokenize=False) == "tools"
    named = tokenizer.apply_chat_template(HI, tokenize=False, chat_template="tool_use")
    assert named == "tools"
    given = tokenizer.apply_chat_template(HI, tokenize=False, chat_template="{{ 1 + 1 }}")
    assert given == "2"


def test_no_template(folder: Folder) -> None:
    with pytest.raises(TokenizerError, match="have no chat template"):
        get_tokenizer(folder()).apply_chat_template(HI)


@pytest.mark.parametrize(
    ("messages", "error", "why"),
    [
        ([{"role": "nobody", "content": ""}], TokenizerError, "nobody speaks"),
        ([], TokenizerError, "at least one message"),
        (["hi"], TypeError, "A message is a dict"),
        ("hi", TypeError, "A conversation is a list"),
        (None, TypeError, "A conversation is a list"),
    ],
)
def test_messages_that_are_refused(
    path: Path, messages: Any, error: type[Exception], why: str
) -> None:
    with pytest.raises(error, match=why):
        get_tokenizer(path).apply_chat_template(messages)


def test_templates_that_are_not_valid(folder: Folder) -> None:
    with pytest.raises(TokenizerError, match="not valid"):
        get_tokenizer(folder(chat_template="{% if %}")).apply_chat_template(HI)


def test_templates_and_tools_that_cannot_be_used(folder: Folder) -> None:
    tokenizer = get_tokenizer(folder(tokenizer_config={"chat_template": NAMED}))
    for template in ("{{ 1 // 0 }}", "{{ messages[0].content + 1 }}"):
        with pytest.raises(TokenizerError, match="cannot render the messages: (Zero|Type)"):
            tokenizer.apply_chat_template(HI, chat_template=template)
    bad: Any = ["f"]
    with pytest.raises(TypeError, match="A tool is a JSON schema in a dict, not 'f'"):
        tokenizer.apply_chat_template(HI, chat_template="{{ tools }}", tools=bad)
    with pytest.raises(TokenizerError, match="has no default chat template: choose one of.*other"):
        tokenizer.apply_chat_template(HI)


def test_a_sandbox_that_leaks_is_not_used(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tinker.tokenizers._chat_template.version", lambda name: "3.1.5")
    with pytest.raises(ImportError, match=r"jinja2 3\.1\.6 or newer, found 3\.1\.5"):
        get_tokenizer(path).apply_chat_template(HI, chat_template="{{ compiled_in_none }}")


def test_templates_run_in_a_sandbox(folder: Folder) -> None:
    escape = "{{ messages.__class__.__mro__[1].__subclasses__() }}"
    with pytest.raises(TokenizerError, match="refused"):
        get_tokenizer(folder(chat_template=escape)).apply_chat_template(HI)


def test_without_the_extra(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(ImportError, match=r"pip install .*\[tokenizers\]'"):
        get_tokenizer(path).apply_chat_template(HI, chat_template="{{ never_compiled }}")


class Risky:
    """What a user might put into a content block: an object with methods that do something."""

    called = False

    def unlink(self) -> None:
        Risky.called = True

    def __getitem__(self, key: object) -> object:
        Risky.called = True
        raise KeyError(key)


@pytest.mark.parametrize(
    "template",
    [
        "{{ messages[0].content[0].image.unlink() }}",
        "{{ messages[0].content[0]['image'].unlink() }}",
        "{{ (messages[0].content[0] | attr('image')).unlink() }}",
        "{{ tools[0].image.unlink() }}",
        "{{ documents[0].image.unlink() }}",
        "{{ more.unlink() }}",
        "{% for m in messages %}{% set _ = m.content[0].image.unlink() %}{% endfor %}",
    ],
)
def test_a_template_cannot_call_what_users_pass(folder: Folder, template: str) -> None:
    risky = Risky()
    message = {"role": "user", "content": [{"type": "image", "image": risky}]}
    with pytest.raises(TokenizerError, match="has no attribute '(unlink|image)'"):
        get_tokenizer(folder(chat_template=template)).apply_chat_template(
            [message],
            tools=[{"image": risky}],
            documents=[{"image": risky}],
            more=risky,
            tokenize=False,
        )
    assert not Risky.called


def test_objects_can_be_looked_for_and_not_printed(folder: Folder) -> None:
    template = (
        "{% for b in messages[0].content %}{% if 'image' in b %}<image>{% endif %}{% endfor %}"
    )
    tokenizer = get_tokenizer(folder(chat_template=template))
    message = {"role": "user", "content": [{"type": "image", "image": Risky()}]}
    assert tokenizer.apply_chat_template([message], tokenize=False) == "<image>"
    with pytest.raises(TokenizerError, match="prints an object of type Risky"):
        tokenizer.apply_chat_template(
            [message], tokenize=False, chat_template="{{ messages[0].content }}"
        )


def test_templates_see_plain_data(folder: Folder) -> None:
    class Mode(enum.StrEnum):
        FAST = "fast"

    class Level(enum.IntEnum):
        HIGH = 3

    @attrs.frozen
    class Point:
        x: int

    @dataclasses.dataclass
    class Place:
        point: Point

    template = "{{ v | tojson }}"
    tokenizer = get_tokenizer(folder(chat_template=template))
    values = {
        "numbers": [np.int64(3), np.float32(0.5), np.bool_(False), Level.HIGH, True],
        "mode": Mode.FAST,
        "place": Place(Point(2)),
        "mapping": types.MappingProxyType({"a": (1, 2)}),
    }
    text = tokenizer.apply_chat_template(HI, v=values, tokenize=False)
    assert json.loads(text) == {
        "numbers": [3, 0.5, False, 3, True],
        "mode": "fast",
        "place": {"point": {"x": 2}},
        "mapping": {"a": [1, 2]},
    }


def test_the_open_field_has_a_name(folder: Folder) -> None:
    template = "{% for m in messages %}<{{ m.reasoning_content }}>{{ m.content }}[end]{% endfor %}"
    tokenizer = get_tokenizer(folder(chat_template=template))
    messages = [{"role": "assistant", "reasoning": "so I ", "content": ""}]
    for name in ("reasoning", "reasoning_content", "thinking"):
        messages = [{"role": "assistant", name: "so I ", "content": "no"}]
        text = tokenizer.apply_chat_template(
            messages, tokenize=False, continue_final_message="reasoning_content"
        )
        assert text == "<so I "
    with pytest.raises(TokenizerError, match="'name'.*it has 'thinking'.*'role'"):
        tokenizer.apply_chat_template(messages, continue_final_message="name")


def test_the_open_field_may_have_parts(folder: Folder) -> None:
    template = "{% for m in messages %}{% for part in m.content %}{{ part.text }}{% endfor %}[end]{% endfor %}"
    tokenizer = get_tokenizer(folder(chat_template=template))

    def left_open(*parts: dict[str, Any], **options: Any) -> Any:
        messages = [{"role": "assistant", "content": list(parts)}]
        return tokenizer.apply_chat_template(
            messages, tokenize=False, continue_final_message=True, **options
        )

    text, image = {"type": "text", "text": "so I"}, {"type": "image"}
    assert left_open(text, text) == "so Iso I"
    assert left_open(text, image) == "so I"
    with pytest.raises(TokenizerError, match="needs text in the last message's 'content'"):
        left_open(image)
    with pytest.raises(TokenizerError, match="leaves out what continue_final_message continues"):
        left_open(text, chat_template="fixed")


def test_masks_of_what_the_assistant_writes(path: Path) -> None:
    tokenizer = get_tokenizer(path)
    short, long = HI, [{"role": "user", "content": "日本 é!"}, *HI]
    found = tokenizer.apply_chat_template(
        [short, long],
        return_dict=True,
        return_assistant_tokens_mask=True,
        add_generation_prompt=True,
    )
    for ids, mask, text in zip(
        found.input_ids,
        found["assistant_masks"],
        ("[user] hi <é>", "[user]日本 é![user] hi <é>"),
        strict=True,
    ):
        assert tokenizer.decode([i for i, m in zip(ids, mask, strict=True) if m]) == text
        assert mask[0] == 0
        assert mask[-1] == 0
    one = tokenizer.apply_chat_template(
        short, return_dict=True, return_assistant_tokens_mask=True, truncation=True, max_length=4
    )
    assert len(one.input_ids) == len(one["assistant_masks"]) == 4


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"sanitize_control_tokens": True}, "sanitize_control_tokens=True is not supported"),
        ({"padding": True}, "padding=True is not supported"),
        ({"padding": "longest"}, "padding='longest' is not supported"),
        ({"truncation": "only_second"}, "truncation='only_second' is not supported"),
        ({"truncation": True}, "truncation needs max_length"),
        ({"max_length": 3}, "max_length=3 needs truncation=True"),
        ({"return_tensors": "tf"}, "return_tensors is 'tf'; it can be 'np' or 'pt'"),
        ({"tokenizer_kwargs": {"padding": True}}, "padding=True is not supported"),
        ({"return_assistant_tokens_mask": True}, "needs tokenize=True and return_dict=True"),
        (
            {
                "return_assistant_tokens_mask": True,
                "return_dict": True,
                "chat_template": "{{ messages[0].content }}",
            },
            "trained_tokens",
        ),
    ],
)
def test_arguments_that_are_not_supported_are_named(
    path: Path, arguments: dict[str, Any], words: str
) -> None:
    with pytest.raises(TokenizerError, match=words):
        get_tokenizer(path).apply_chat_template(HI, **arguments)


def test_arguments_for_the_tokenizer(path: Path) -> None:
    tokenizer = get_tokenizer(path)
    ids = tokenizer.apply_chat_template(HI)
    for truncation in (True, "longest_first", "only_first"):
        assert tokenizer.apply_chat_template(HI, truncation=truncation, max_length=3) == ids[:3]
    cut = tokenizer.apply_chat_template(HI, tokenizer_kwargs={"truncation": True, "max_length": 2})
    assert cut == ids[:2]
    with pytest.raises(TypeError, match="stride"):
        tokenizer.apply_chat_template(HI, tokenizer_kwargs={"stride": 2})
    rows = tokenizer.apply_chat_template(HI, return_tensors="np")
    assert rows.tolist() == [ids]
