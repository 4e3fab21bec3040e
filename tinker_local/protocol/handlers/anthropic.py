"""The routes that Anthropic clients speak."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

from starlette.responses import Response

from tinker_local.chat.conversation import Conversation, check_tools, render, text_of
from tinker_local.chat.error_bodies import anthropic as error_form
from tinker_local.chat.text import Piece
from tinker_local.errors import OperationFailed, Refusal
from tinker_local.protocol.backend import Backend, Call
from tinker_local.protocol.choices import (
    Choice,
    check_parameters,
    complete,
    drawn,
    refusal_of,
    sample_request,
)
from tinker_local.protocol.drawing import Drawing, event_stream
from tinker_local.protocol.handlers.openai.common import base_model_of, tokenizer_for
from tinker_local.protocol.handlers.sampling import draw
from tinker_local.protocol.wire import bodies

_IGNORED = frozenset({"metadata", "cache_control", "inference_geo"})
_NEUTRAL: Mapping[str, Callable[[Any], bool]] = {
    "service_tier": lambda value: value in ("auto", "standard_only"),
    "mcp_servers": lambda value: value == [],
    "container": lambda value: value is None,
    "context_management": lambda value: value == {"edits": []},
}
_EFFORTS = ("low", "medium", "high", "xhigh", "max")


async def create_message(backend: Backend, call: Call) -> dict[str, Any] | Response:
    asked = call.body
    _check("MessageRequest", asked)
    model, base_model = base_model_of(backend, call)
    conversation = await _conversation(backend, base_model, asked)
    stops = [stop for stop in asked.get("stop_sequences") or () if stop]
    request = sample_request(
        conversation.tokens, [*stops, *conversation.ends], asked, num_samples=1, **model
    )
    choice = Choice(conversation.assembler(stops, separate_reasoning=True))
    message = _Message(asked, draw(backend, call, request), choice, len(conversation.tokens))
    if asked.get("stream"):
        return event_stream(message.stream())
    await complete(message.drawing, [choice])
    return message.response()


async def count_message_tokens(backend: Backend, call: Call) -> dict[str, Any]:
    _check("CountTokensRequest", call.body)
    _, base_model = base_model_of(backend, call)
    conversation = await _conversation(backend, base_model, call.body)
    return {"input_tokens": len(conversation.tokens)}


def _check(schema: str, asked: Mapping[str, Any]) -> None:
    if asked.get("thread") is not None:
        text = "thread: this server keeps no conversations; send the whole one"
        raise Refusal(400, text, parameter="thread", code="thread_unsupported_request")
    check_parameters(schema, asked, _IGNORED, _NEUTRAL)


# ---- the conversation -------------------------------------------------------------------------


async def _conversation(
    backend: Backend, base_model: str, asked: Mapping[str, Any]
) -> Conversation:
    tokenizer = await tokenizer_for(backend, base_model, for_chat=True)
    messages = []
    if system := text_of("system", asked.get("system")):
        messages.append({"role": "system", "content": system})
    for index, message in enumerate(asked["messages"]):
        messages += _messages(f"messages[{index}].content", message)
    tools = asked.get("tools") or []
    check_tools("tools", tools, schema="input_schema")
    for index, tool in enumerate(tools):
        if tool.get("type", "custom") != "custom":
            text = f"tools[{index}] is of type {tool['type']!r}; this server supports 'custom'"
            raise Refusal(400, text, parameter=f"tools[{index}].type")
    functions = [
        {
            "type": "function",
            "function": {
                "name": tool["name"],
                "description": tool.get("description", ""),
                "parameters": tool.get("input_schema", {}),
            },
        }
        for tool in tools
    ]
    choice = _type_of("tool_choice", asked.get("tool_choice"), ("auto", "none"), "auto")
    return await asyncio.to_thread(
        render,
        tokenizer,
        messages,
        functions if functions and choice == "auto" else None,
        effort=_effort(asked.get("output_config")),
        thinking=_thinking(asked.get("thinking")),
    )


def _messages(place: str, message: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A message in the format of chat templates; tool results become separate messages."""
    role, content = message["role"], message["content"]
    if isinstance(content, str):
        return [{"role": role, "content": content}]
    made: dict[str, Any] = {"role": role, "content": ""}
    results: list[dict[str, Any]] = []
    for index, block in enumerate(content):
        here = f"{place}[{index}]"
        kind = block.get("type") if isinstance(block, dict) else None
        if kind == "text":
            made["content"] += text_of(place, [block])
        elif kind == "thinking" and role == "assistant":
            made["reasoning_content"] = _string(f"{here}.thinking", block.get("thinking"))
        elif kind == "redacted_thinking" and role == "assistant":
            continue
        elif kind == "tool_use" and role == "assistant":
            arguments = block.get("input", {})
            if not isinstance(arguments, dict):
                raise Refusal(400, f"{here}.input must be an object", parameter=f"{here}.input")
            function = {"name": _string(f"{here}.name", block.get("name")), "arguments": arguments}
            call = {"id": block.get("id"), "type": "function", "function": function}
            made.setdefault("tool_calls", []).append(call)
        elif kind == "tool_result" and role == "user":
            text = text_of(f"{here}.content", block.get("content"))
            results.append(
                {"role": "tool", "content": text, "tool_call_id": block.get("tool_use_id")}
            )
        else:
            text = f"{here} is of type {kind!r}, which is not supported in a message of the {role}"
            raise Refusal(400, text, parameter=here)
    has_more = made["content"] or made.keys() & {"tool_calls", "reasoning_content"}
    return [*results, made] if has_more or not results else results


def _string(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise Refusal(400, f"{name} must be a string", parameter=name)
    return value


def _type_of(name: str, value: Any, offered: Sequence[str], default: str) -> str:
    """The `type` of a parameter that is an object."""
    if value is None:
        return default
    kind = value.get("type") if isinstance(value, dict) else None
    if kind not in offered:
        text = f"{name} is of type {kind!r}; this server supports {', '.join(offered)}"
        raise Refusal(400, text, parameter=name)
    return str(kind)


def _thinking(value: Any) -> bool | None:
    kind = _type_of("thinking", value, ("disabled", "enabled", "adaptive"), "adaptive")
    return {"disabled": False, "enabled": True}.get(kind)


def _effort(value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, dict) or value.keys() - {"effort"}:
        text = "output_config must be an object with no field except effort"
        raise Refusal(400, text, parameter="output_config")
    effort = value.get("effort")
    if effort is not None and effort not in _EFFORTS:
        text = f"output_config.effort is {effort!r}; it must be one of {', '.join(_EFFORTS)}"
        raise Refusal(400, text, parameter="output_config.effort")
    return "xhigh" if effort == "max" else effort


# ---- the response -------------------------------------------------------------------------------


class _Message:
    """One message, as a whole or as a stream."""

    def __init__(
        self, asked: Mapping[str, Any], drawing: Drawing, choice: Choice, prompt_tokens: int
    ) -> None:
        self.drawing = drawing
        self._choice = choice
        self._prompt_tokens = prompt_tokens
        self._head = {
            "id": f"msg_{uuid.uuid4().hex}",
            "type": "message",
            "role": "assistant",
            "model": asked["model"],
        }

    def response(self) -> dict[str, Any]:
        content: list[dict[str, Any]] = []
        if reasoning := self._choice.text("reasoning"):
            content.append({"type": "thinking", "thinking": reasoning, "signature": ""})
        if text := self._choice.text("content"):
            content.append({"type": "text", "text": text})
        for block, arguments in self._tool_uses():
            content.append({**block, "input": json.loads(arguments)})
        return {**self._head, "content": content, **self._end(), "usage": self._usage()}

    def _tool_uses(self) -> list[tuple[dict[str, Any], str]]:
        return [
            (
                {
                    "type": "tool_use",
                    "id": f"toolu_{uuid.uuid4().hex[:24]}",
                    "name": one.name,
                    "input": {},
                },
                one.arguments,
            )
            for one in self._choice.assembler.tool_calls
        ]

    def _end(self) -> dict[str, Any]:
        choice, reason = self._choice, "end_turn"
        if choice.assembler.tool_calls:
            reason = "tool_use"
        elif choice.assembler.stop_string is not None:
            reason = "stop_sequence"
        elif choice.stop_reason == "length":
            reason = "max_tokens"
        return {"stop_reason": reason, "stop_sequence": choice.assembler.stop_string}

    def _usage(self) -> dict[str, int]:
        cached = int(self.drawing.result.get("prompt_cache_hit_tokens") or 0)
        return {
            "input_tokens": self._prompt_tokens - cached,
            "output_tokens": len(self._choice.tokens),
            "cache_read_input_tokens": cached,
            "cache_creation_input_tokens": 0,
        }

    async def stream(self) -> AsyncIterator[bytes]:
        empty: dict[str, Any] = {"content": [], "stop_reason": None, "stop_sequence": None}
        yield _event("message_start", message={**self._head, **empty, "usage": self._usage()})
        blocks = _Blocks()
        try:
            async for _, pieces in drawn(self.drawing, [self._choice]):
                for piece in pieces:
                    for event in blocks.piece(piece):
                        yield event
        except OperationFailed as failure:
            _, body = error_form(refusal_of(failure))
            yield _event("error", error=body["error"])
            return
        for event in blocks.close():
            yield event
        for block, arguments in self._tool_uses():
            for event in blocks.tool_use(block, arguments):
                yield event
        yield _event("message_delta", delta=self._end(), usage=self._usage())
        yield _event("message_stop")


class _Blocks:
    """The events of content blocks, one after the other."""

    def __init__(self) -> None:
        self._index = -1
        self._open: str | None = None

    def piece(self, piece: Piece) -> list[bytes]:
        kind, name = ("thinking", "thinking") if piece.kind == "reasoning" else ("text", "text")
        events = []
        if self._open != kind:
            begun = {"type": kind, name: ""}
            events += [
                *self.close(),
                self._begin({**begun, "signature": ""} if kind == "thinking" else begun),
            ]
        events.append(self._delta({"type": f"{kind}_delta", name: piece.text}))
        return events

    def tool_use(self, block: Mapping[str, Any], arguments: str) -> list[bytes]:
        begin = self._begin(block)
        delta = self._delta({"type": "input_json_delta", "partial_json": arguments})
        return [begin, delta, *self.close()]

    def close(self) -> list[bytes]:
        if self._open is None:
            return []
        self._open = None
        return [_event("content_block_stop", index=self._index)]

    def _begin(self, block: Mapping[str, Any]) -> bytes:
        self._index += 1
        self._open = block["type"]
        return _event("content_block_start", index=self._index, content_block=block)

    def _delta(self, delta: Mapping[str, Any]) -> bytes:
        return _event("content_block_delta", index=self._index, delta=delta)


def _event(kind: str, **fields: Any) -> bytes:
    return (
        b"event: " + kind.encode() + b"\ndata: " + bodies.dumps({"type": kind, **fields}) + b"\n\n"
    )
