"""Chat completions, as a whole or as a stream."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from starlette.responses import Response

from tinker.tokenizers import Tokenizer
from tinker_local.chat.conversation import (
    Conversation,
    arguments_of,
    check_tools,
    effort_of,
    render,
    text_of,
)
from tinker_local.chat.error_bodies import openai as error_form
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
from tinker_local.protocol.handlers.openai.common import (
    IGNORED,
    NEUTRAL,
    base_model_of,
    event,
    include_usage,
    stops_of,
    tokenizer_for,
    usage_of,
)
from tinker_local.protocol.handlers.sampling import draw


async def create_chat_completion(backend: Backend, call: Call) -> dict[str, Any] | Response:
    asked = dict(call.body)
    check_parameters("ChatCompletionRequest", asked, IGNORED, NEUTRAL)
    asked.setdefault("max_tokens", asked.get("max_completion_tokens"))
    model, base_model = base_model_of(backend, call)
    tokenizer = await tokenizer_for(backend, base_model, for_chat=True)
    conversation = await _conversation(tokenizer, asked)
    topk = asked.get("top_logprobs") or 0
    if topk and not asked.get("logprobs"):
        raise Refusal(400, "top_logprobs needs logprobs", parameter="top_logprobs")
    stops = stops_of(asked)
    request = sample_request(
        conversation.tokens,
        [*stops, *conversation.ends],
        asked,
        num_samples=asked.get("n", 1),
        topk_sample_logprobs=topk,
        **model,
    )
    separate = asked.get("separate_reasoning", True)
    choices = [
        Choice(conversation.assembler(stops, separate_reasoning=separate))
        for _ in range(request["num_samples"])
    ]
    chat = _Chat(backend, asked, draw(backend, call, request), choices, len(conversation.tokens))
    if asked.get("stream"):
        return event_stream(chat.stream())
    await complete(chat.drawing, choices)
    return chat.response()


async def _conversation(tokenizer: Tokenizer, asked: Mapping[str, Any]) -> Conversation:
    messages = [_message(index, message) for index, message in enumerate(asked["messages"])]
    tools = asked.get("tools")
    for index, tool in enumerate(tools or ()):
        place = f"tools[{index}]"
        if not isinstance(tool, dict) or tool.get("type") != "function":
            raise Refusal(400, f"{place} must be of type 'function'", parameter=place)
    check_tools("tools", [tool.get("function") for tool in tools or ()], schema="parameters")
    choice = asked.get("tool_choice", "auto")
    if choice not in ("auto", "none"):
        text = f"tool_choice is {choice!r}; this server supports 'auto' and 'none'"
        raise Refusal(400, text, parameter="tool_choice", code="unsupported_parameter")
    effort = effort_of("reasoning_effort", asked.get("reasoning_effort"))
    return await asyncio.to_thread(
        render,
        tokenizer,
        messages,
        tools if choice == "auto" and tools else None,
        effort=effort,
        thinking=False if effort == "none" else None,
    )


def _message(index: int, message: Mapping[str, Any]) -> dict[str, Any]:
    """A message in the format of chat templates."""
    place = f"messages[{index}]"
    role = "system" if message["role"] == "developer" else message["role"]
    content = message.get("content")
    if content is None and role != "assistant":
        raise Refusal(400, f"{place}.content is missing", parameter=f"{place}.content")
    made = {"role": role, "content": text_of(f"{place}.content", content)}
    for name in ("name", "tool_call_id", "reasoning_content"):
        if message.get(name) is not None:
            made[name] = message[name]
    if message.get("tool_calls"):
        made["tool_calls"] = [
            {
                "id": one["id"],
                "type": "function",
                "function": {
                    "name": one["function"]["name"],
                    "arguments": arguments_of(
                        f"{place}.tool_calls[{number}].function.arguments",
                        one["function"]["arguments"],
                    ),
                },
            }
            for number, one in enumerate(message["tool_calls"])
        ]
    return made


class _Chat:
    """One chat completion, as a whole or as a stream."""

    def __init__(
        self,
        backend: Backend,
        asked: Mapping[str, Any],
        drawing: Drawing,
        choices: Sequence[Choice],
        prompt_tokens: int,
    ) -> None:
        self._backend = backend
        self._asked = asked
        self.drawing = drawing
        self._choices = choices
        self._prompt_tokens = prompt_tokens
        self._head = {
            "id": f"chatcmpl-{uuid.uuid4().hex}",
            "created": int(backend.store.now()),
            "model": asked["model"],
        }

    def response(self) -> dict[str, Any]:
        return {
            **self._head,
            "object": "chat.completion",
            "choices": [
                {
                    "index": index,
                    "message": self._message(choice),
                    "finish_reason": _finish_reason(choice),
                    "logprobs": self._logprobs(index, 0),
                }
                for index, choice in enumerate(self._choices)
            ],
            "usage": usage_of([self.drawing], self._choices, self._prompt_tokens),
        }

    @staticmethod
    def _message(choice: Choice) -> dict[str, Any]:
        reasoning, calls = choice.text("reasoning"), choice.assembler.tool_calls
        message: dict[str, Any] = {"role": "assistant", "content": choice.text("content")}
        if calls:
            message["content"] = message["content"] or None
            message["tool_calls"] = _tool_calls(choice)
        if reasoning:
            message["reasoning_content"] = reasoning
        return message

    async def stream(self) -> AsyncIterator[bytes]:
        sent = [0] * len(self._choices)
        # Other likely tokens are known only at the end.
        whole = bool(self._asked.get("top_logprobs"))
        waiting: list[tuple[int, dict[str, Any]]] = []
        for index in range(len(self._choices)):
            yield self._chunk(index, {"role": "assistant", "content": ""})
        try:
            async for index, pieces in drawn(self.drawing, self._choices):
                deltas = [
                    {"reasoning_content" if p.kind == "reasoning" else "content": p.text}
                    for p in pieces
                ]
                if whole:
                    waiting += [(index, delta) for delta in deltas]
                    continue
                for delta in deltas:
                    yield self._chunk(index, delta, logprobs=self._logprobs(index, sent[index]))
                    sent[index] = self._choices[index].assembler.shown
        except OperationFailed as failure:
            yield event(error_form(refusal_of(failure))[1])
            return
        for index, delta in waiting:
            yield self._chunk(index, delta, logprobs=self._logprobs(index, sent[index]))
            sent[index] = self._choices[index].assembler.shown
        for index, choice in enumerate(self._choices):
            if choice.assembler.tool_calls:
                calls = [{"index": n, **one} for n, one in enumerate(_tool_calls(choice))]
                yield self._chunk(index, {"tool_calls": calls})
            logprobs = self._logprobs(index, sent[index])
            if logprobs is not None and not logprobs["content"]:
                logprobs = None
            yield self._chunk(index, {}, finish_reason=_finish_reason(choice), logprobs=logprobs)
        if include_usage(self._asked):
            usage = usage_of([self.drawing], self._choices, self._prompt_tokens)
            yield event({**self._chunk_head, "choices": [], "usage": usage})
        yield b"data: [DONE]\n\n"

    @property
    def _chunk_head(self) -> dict[str, Any]:
        return {**self._head, "object": "chat.completion.chunk"}

    def _chunk(
        self,
        index: int,
        delta: Mapping[str, Any],
        *,
        finish_reason: str | None = None,
        logprobs: Mapping[str, Any] | None = None,
    ) -> bytes:
        choice = {
            "index": index,
            "delta": delta,
            "finish_reason": finish_reason,
            "logprobs": logprobs,
        }
        return event({**self._chunk_head, "choices": [choice]})

    def _logprobs(self, index: int, begin: int) -> dict[str, Any] | None:
        """Log-probabilities of the tokens from `begin` on whose text was returned."""
        if not self._asked.get("logprobs"):
            return None
        choice = self._choices[index]
        shown = choice.tokens[begin : choice.assembler.shown]
        topk: list[Any] = []
        if self.drawing.result:
            topk = self.drawing.result["sequences"][index].get("topk_logprobs") or []
        content = []
        for place, token in enumerate(shown, begin):
            others = topk[place] if place < len(topk) else []
            tops = [self._token(id_, logprob) for id_, logprob in others]
            content.append({**self._token(token.id, token.logprob), "top_logprobs": tops})
        return {"content": content}

    def _token(self, token_id: int, logprob: float) -> dict[str, Any]:
        content = self._backend.engine.token_bytes(self.drawing.base_model, token_id)
        text = content.decode("utf-8", "replace")
        return {"token": text, "logprob": logprob, "bytes": list(content)}


def _tool_calls(choice: Choice) -> list[dict[str, Any]]:
    return [
        {
            "id": f"call_{uuid.uuid4().hex[:24]}",
            "type": "function",
            "function": {"name": one.name, "arguments": one.arguments},
        }
        for one in choice.assembler.tool_calls
    ]


def _finish_reason(choice: Choice) -> str:
    return "tool_calls" if choice.assembler.tool_calls else choice.stop_reason
