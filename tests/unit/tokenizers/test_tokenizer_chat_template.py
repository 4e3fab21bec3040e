"""Chat templates: rendered as `transformers` renders them, refused clearly where they cannot be."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

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
    with pytest.raises(TokenizerError, match="carry no chat template"):
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


def test_templates_run_in_a_sandbox(folder: Folder) -> None:
    escape = "{{ messages.__class__.__mro__[1].__subclasses__() }}"
    with pytest.raises(TokenizerError, match="refused"):
        get_tokenizer(folder(chat_template=escape)).apply_chat_template(HI)


def test_without_the_extra(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(ImportError, match=r"pip install .*\[tokenizers\]'"):
        get_tokenizer(path).apply_chat_template(HI, chat_template="{{ never_compiled }}")
