"""From a conversation to a prompt, by the chat template of the model's tokenizer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import frozen

from tinker.tokenizers import IncrementalDecoder, Tokenizer, TokenizerError, get_tokenizer
from tinker_local.chat.text import Assembler, Channels, Splitter, ThinkTags
from tinker_local.chat.tool_calls import family_of
from tinker_local.engine.base import ModelSpec
from tinker_local.errors import Refusal

EFFORTS = {"none": 0.0, "minimal": 0.1, "low": 0.2, "medium": 0.7, "high": 0.9, "xhigh": 0.99}
"""Levels of effort, by their number."""

_TURN_ENDS = ("<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<end_of_turn>", "<|return|>", "<|call|>")
"""Tokens that end the turn of a model whose template uses them, besides the tokenizer's end-of-text token."""


@frozen(kw_only=True)
class Conversation:
    """A conversation, rendered."""

    tokenizer: Tokenizer
    template: str
    text: str
    tokens: list[int]
    has_tools: bool

    @property
    def ends(self) -> list[int]:
        """Tokens that end the model's turn."""
        names = [mark for mark in _TURN_ENDS if mark in self.template]
        ids = [self.tokenizer.convert_tokens_to_ids(name) for name in names]
        return sorted({id_ for id_ in [*ids, self.tokenizer.eos_token_id] if id_ is not None})

    def assembler(self, stops: Sequence[str], *, separate_reasoning: bool) -> Assembler:
        """Return an assembler, which turns sampled tokens into text and tool calls."""
        splitter: Splitter | None = None
        if "<|channel|>" in self.template:
            splitter = Channels()
        elif separate_reasoning:
            splitter = ThinkTags(is_open=self.text.rstrip().endswith("<think>"))
        family = family_of(self.template) if self.has_tools else None
        return assembler(self.tokenizer, self.ends, stops, splitter=splitter, family=family)


def assembler(
    tokenizer: Tokenizer, ends: Sequence[int], stops: Sequence[str], **parts: Any
) -> Assembler:
    decoder = IncrementalDecoder(tokenizer)
    parts = {"splitter": None, "family": None, **parts}
    return Assembler((decoder.push, decoder.finish), frozenset(ends), stops, **parts)


def tokenizer_of(spec: ModelSpec, *, for_chat: bool) -> Tokenizer:
    """The tokenizer of a base model; for a chat, it must have a chat template."""
    try:
        tokenizer = get_tokenizer(spec.tokenizer_id)
    except (TokenizerError, ImportError) as error:
        reason = str(error).replace(spec.tokenizer_id, spec.name)  # paths are the server's own
        text = f"{spec.name} takes token ids only, by the sampling API: {reason}"
        raise Refusal(400, text, parameter="model") from None
    if for_chat and tokenizer.chat_template is None:
        text = (
            f"{spec.name} has no chat template, so it cannot chat: send the whole prompt as text to the "
            "completions of the OpenAI routes, or as token ids by the sampling API"
        )
        raise Refusal(400, text, parameter="model")
    return tokenizer


def render(
    tokenizer: Tokenizer,
    messages: Sequence[Mapping[str, Any]],
    tools: Sequence[Mapping[str, Any]] | None,
    *,
    effort: str | None,
    thinking: bool | None,
) -> Conversation:
    """The prompt of a conversation.

    Args:
        tokenizer: Tokenizer of the model; it must have a chat template.
        messages: In the format of `transformers`: `role`, `content` (text), `reasoning_content`, `tool_calls`.
        tools: JSON schemas of functions.
        effort: A level of `EFFORTS`, for templates that know it.
        thinking: Whether to reason, for templates that can be told; None is their default.
    """
    variables: dict[str, Any] = {}
    if effort is not None:
        variables["reasoning_effort"] = effort
    if thinking is not None:
        variables["enable_thinking"] = variables["thinking"] = thinking
    try:
        template = tokenizer.get_chat_template(tools=tools)
        if "<|channel|>" in template and effort is not None:  # gpt-oss knows three levels
            variables["reasoning_effort"] = {"none": "low", "minimal": "low", "xhigh": "high"}.get(
                effort, effort
            )
        text = tokenizer.apply_chat_template(
            messages, tools, tokenize=False, add_generation_prompt=True, **variables
        )
        tokens = tokenizer.encode(text, add_special_tokens=False)
    except (TokenizerError, ImportError) as error:
        reason = str(error).replace(str(tokenizer.name_or_path), "this model")
        raise Refusal(400, reason, parameter="messages") from None
    return Conversation(
        tokenizer=tokenizer, template=template, text=text, tokens=tokens, has_tools=bool(tools)
    )


def effort_of(name: str, value: Any) -> str | None:
    """The level for a level or a number from 0 to 0.99."""
    if value is None or (isinstance(value, str) and value in EFFORTS):
        return value
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and 0 <= value <= EFFORTS["xhigh"]:
        return min(EFFORTS, key=lambda level: abs(EFFORTS[level] - value))
    levels = ", ".join(EFFORTS)
    text = f"{name} is {value!r}; it must be one of {levels}, or a number from 0 to 0.99"
    raise Refusal(400, text, parameter=name)


def text_of(name: str, content: Any) -> str:
    """The text of a message's content: a string, or a list of parts of type `text`."""
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, list):
        raise Refusal(400, f"{name} must be a string or a list of parts", parameter=name)
    texts = []
    for index, part in enumerate(content):
        place = f"{name}[{index}]"
        kind = part.get("type") if isinstance(part, dict) else None
        if kind != "text":
            text = f"{place} is of type {kind!r}; this route reads text only"
            raise Refusal(400, text, parameter=place)
        if not isinstance(part.get("text"), str):
            raise Refusal(400, f"{place}.text must be a string", parameter=place)
        texts.append(part["text"])
    return "".join(texts)


def arguments_of(name: str, text: str) -> dict[str, Any]:
    """The arguments of a tool call as an object, for templates."""
    try:
        arguments = json.loads(text or "{}")
    except ValueError:
        arguments = None
    if not isinstance(arguments, dict):
        raise Refusal(400, f"{name} must be a JSON object in a string", parameter=name)
    return arguments


def check_tools(name: str, tools: Sequence[Any] | None, *, schema: str) -> None:
    """Reject anything other than a list of tools with names."""
    for index, tool in enumerate(tools or ()):
        place = f"{name}[{index}]"
        if not isinstance(tool, dict) or not isinstance(tool.get("name"), str) or not tool["name"]:
            raise Refusal(400, f"{place} must be an object with a name", parameter=place)
        if not isinstance(tool.get(schema, {}), dict):
            where = f"{place}.{schema}"
            raise Refusal(400, f"{where} must be a JSON schema", parameter=where)
