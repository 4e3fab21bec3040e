"""Tool calls as each family of models writes them. The texts are from the models' own chat templates."""
# ruff: noqa: RUF001

from __future__ import annotations

import pytest

from tinker_local.chat.tool_calls import NotACall, ToolCall, family_of

TWO = [ToolCall("f", '{"city": "Zürich", "n": 2}'), ToolCall("g", "{}")]


@pytest.mark.parametrize(
    ("sign", "text"),
    [
        (
            "<tool_call>",
            '<tool_call>\n{"name": "f", "arguments": {"city": "Zürich", "n": 2}}\n</tool_call>\n'
            '<tool_call>\n{"name": "g", "arguments": {}}\n</tool_call>',
        ),
        (
            "<tool_call> <function=",
            "<tool_call>\n<function=f>\n<parameter=city>\nZürich\n</parameter>\n<parameter=n>\n2\n"
            "</parameter>\n</function>\n</tool_call>\n<tool_call>\n<function=g>\n</function>\n</tool_call>",
        ),
        (
            "<tool_call> <arg_key>",
            "<tool_call>f\n<arg_key>city</arg_key>\n<arg_value>Zürich</arg_value>\n<arg_key>n</arg_key>\n"
            "<arg_value>2</arg_value>\n</tool_call>\n<tool_call>g\n</tool_call>",
        ),
        (
            "<|start_header_id|>",
            '{"name": "f", "parameters": {"city": "Zürich", "n": 2}}; {"name": "g", "parameters": {}}',
        ),
        (
            "<|start_header_id|>",
            '<|python_tag|>{"name": "f", "parameters": {"city": "Zürich", "n": 2}};'
            '{"name": "g", "parameters": {}}',
        ),
        (
            "[TOOL_CALLS]",
            '[TOOL_CALLS] [{"name": "f", "arguments": {"city": "Zürich", "n": 2}}, '
            '{"name": "g", "arguments": {}}]',
        ),
        (
            "<｜tool▁sep｜>",
            '<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>{"city": "Zürich", "n": 2}'
            "<｜tool▁call▁end｜><｜tool▁call▁begin｜>g<｜tool▁sep｜>{}<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
        ),
        (
            "<|tool_calls_section_begin|>",
            "<|tool_calls_section_begin|><|tool_call_begin|>functions.f:0<|tool_call_argument_begin|>"
            '{"city": "Zürich", "n": 2}<|tool_call_end|><|tool_call_begin|>functions.g:1'
            "<|tool_call_argument_begin|>{}<|tool_call_end|><|tool_calls_section_end|>",
        ),
    ],
)
def test_each_family(sign: str, text: str) -> None:
    family = family_of(f"a template with {sign} in it")
    assert family is not None
    assert text.startswith((family.marker, "<|python_tag|>"))
    assert family.parse(text) == TWO
    with pytest.raises(NotACall):
        family.parse(f"{family.marker} nothing at all")


def test_a_family_that_is_not_known() -> None:
    assert family_of("{{ messages }}") is None


@pytest.mark.parametrize("arguments", ["[]", '"text"', "null", "1"])
def test_arguments_are_an_object(arguments: str) -> None:
    family = family_of("<tool_call>")
    assert family is not None
    with pytest.raises(NotACall):
        family.parse(f'<tool_call>{{"name": "f", "arguments": {arguments}}}</tool_call>')
