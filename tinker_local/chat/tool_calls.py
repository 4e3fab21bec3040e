# ruff: noqa: RUF001, RUF002 - the tokens of DeepSeek are written so
"""Tool calls in the text of a model, by the family of its chat template.

The content of the chat template tells the family. If no family matches, tool calls stay in the text.

    Hermes, Qwen 2.5 and 3,      <tool_call>{"name": …, "arguments": {…}}</tool_call>
      tinker-local/bytes
    Qwen3-Coder, Qwen3.5         <tool_call><function=NAME><parameter=KEY>VALUE</parameter></function></tool_call>
    GLM 4.5 and later            <tool_call>NAME<arg_key>KEY</arg_key><arg_value>VALUE</arg_value></tool_call>
    Llama 3                      {"name": …, "parameters": {…}}, and nothing else
    Mistral                      [TOOL_CALLS][{"name": …, "arguments": {…}}]
    DeepSeek V3.1                <｜tool▁calls▁begin｜><｜tool▁call▁begin｜>NAME<｜tool▁sep｜>{…}<｜tool▁call▁end｜>…
    Kimi K2                      <|tool_calls_section_begin|><|tool_call_begin|>functions.NAME:0<|tool_call_argument_begin|>{…}…

gpt-oss writes them into separate channels: see `Channels` in `text`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from attrs import frozen


@frozen
class ToolCall:
    name: str
    arguments: str
    """A JSON object."""


class NotACall(ValueError):
    """The text does not have the format of the family."""


@frozen
class Family:
    marker: str
    """The beginning of the tool calls; everything before it is text."""
    parse: Callable[[str], list[ToolCall]]
    """The calls in the text from the marker on; raises NotACall."""
    only_at_the_start: bool = False


def family_of(template: str) -> Family | None:
    """The family of a chat template, if it is known."""
    return next((family for sign, family in _FAMILIES if sign in template), None)


def _call(name: Any, arguments: Any) -> ToolCall:
    if isinstance(arguments, str):
        arguments = _json(arguments)
    if not isinstance(name, str) or not _NAME.fullmatch(name) or not isinstance(arguments, dict):
        raise NotACall
    return ToolCall(name, json.dumps(arguments, ensure_ascii=False))


_NAME = re.compile(r"[\w.:/-]+")


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise NotACall from None


def _calls(found: Iterable[ToolCall]) -> list[ToolCall]:
    calls = list(found)
    if not calls:
        raise NotACall
    return calls


def _from_object(value: Any) -> ToolCall:
    if not isinstance(value, Mapping):
        raise NotACall
    return _call(value.get("name"), value.get("arguments", value.get("parameters", {})))


_TAGGED = re.compile(r"<tool_call>\s*(.*?)\s*(?:</tool_call>|\Z)", re.DOTALL)


def _hermes(text: str) -> list[ToolCall]:
    return _calls(_from_object(_json(body)) for body in _TAGGED.findall(text))


_FUNCTION = re.compile(r"<function=([^>\n]+)>(.*?)(?:</function>|\Z)", re.DOTALL)
_PARAMETER = re.compile(
    r"<parameter=([^>\n]+)>\n?(.*?)\n?(?:</parameter>|(?=<parameter=)|\Z)", re.DOTALL
)


def _xml(text: str) -> list[ToolCall]:
    return _calls(
        _call(name.strip(), {key.strip(): _value(v) for key, v in _PARAMETER.findall(body)})
        for name, body in _FUNCTION.findall(text)
    )


_ARGUMENT = re.compile(r"<arg_key>\s*(.*?)\s*</arg_key>\s*<arg_value>(.*?)</arg_value>", re.DOTALL)


def _glm(text: str) -> list[ToolCall]:
    return _calls(
        _call(
            body.partition("<arg_key>")[0].strip(),
            {k: _value(v) for k, v in _ARGUMENT.findall(body)},
        )
        for body in _TAGGED.findall(text)
    )


def _value(text: str) -> Any:
    """The decoded value if the text is JSON, else the text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _llama(text: str) -> list[ToolCall]:
    body = text.removeprefix("<|python_tag|>").strip()
    return _calls(_from_object(_json(part)) for part in re.split(r";\s*(?=\{)", body))


def _mistral(text: str) -> list[ToolCall]:
    calls = _json(text.removeprefix("[TOOL_CALLS]").strip())
    if not isinstance(calls, list):
        raise NotACall
    return _calls(_from_object(call) for call in calls)


_DEEPSEEK_CALL = re.compile(
    "<｜tool▁call▁begin｜>(.*?)<｜tool▁sep｜>(.*?)(?:<｜tool▁call▁end｜>|\\Z)", re.DOTALL
)


def _deepseek(text: str) -> list[ToolCall]:
    return _calls(_call(name.strip(), body) for name, body in _DEEPSEEK_CALL.findall(text))


_KIMI_CALL = re.compile(
    r"<\|tool_call_begin\|>\s*(?:functions\.)?(.+?)(?::\d+)?\s*<\|tool_call_argument_begin\|>(.*?)"
    r"(?:<\|tool_call_end\|>|\Z)",
    re.DOTALL,
)


def _kimi(text: str) -> list[ToolCall]:
    return _calls(_call(name.strip(), body) for name, body in _KIMI_CALL.findall(text))


# The first family whose marker the template contains.
_FAMILIES = (
    ("<|tool_calls_section_begin|>", Family("<|tool_calls_section_begin|>", _kimi)),
    ("<｜tool▁sep｜>", Family("<｜tool▁calls▁begin｜>", _deepseek)),
    ("[TOOL_CALLS]", Family("[TOOL_CALLS]", _mistral)),
    ("<arg_key>", Family("<tool_call>", _glm)),
    ("<function=", Family("<tool_call>", _xml)),
    ("<tool_call>", Family("<tool_call>", _hermes)),
    ("<|start_header_id|>", Family("{", _llama, only_at_the_start=True)),
)
