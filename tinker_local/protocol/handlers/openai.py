"""The routes of OpenAI clients."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

from starlette.responses import Response

from tinker.tokenizers import Tokenizer
from tinker.tokenizers._incremental import IncrementalDecoder
from tinker_local import model_names
from tinker_local.chat.conversation import (
    Conversation,
    arguments_of,
    assembler,
    check_tools,
    effort_of,
    render,
    text_of,
    tokenizer_of,
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
from tinker_local.protocol.handlers.sampling import draw, source
from tinker_local.protocol.wire import bodies

_IGNORED = frozenset(
    {"user", "metadata", "store", "safety_identifier", "prompt_cache_key", "prompt_cache_retention"}
)


def _is(*values: Any) -> Callable[[Any], bool]:
    return lambda value: value in values


_NEUTRAL = {
    "frequency_penalty": _is(0),
    "presence_penalty": _is(0),
    "repetition_penalty": _is(1),
    "logit_bias": _is({}),
    "min_p": _is(0),
    "modalities": _is(["text"]),
    "parallel_tool_calls": _is(True),
    "response_format": _is({"type": "text"}),
    "service_tier": _is("auto", "default"),
    "best_of": _is(1),
    "suffix": _is(""),
}

# ---- models -----------------------------------------------------------------------------------


async def list_models(backend: Backend, call: Call) -> dict[str, Any]:
    query, *values = backend.catalog.query_of_user(call.user)
    saved = [
        row for row in backend.store.select(query, *values) if row["kind"] == "sampler_weights"
    ]
    models: list[dict[str, Any]] = [
        {
            "id": row["path"],
            "object": "model",
            "created": int(row["created"]),
            "owned_by": row["owner"],
            "parent": row["facts"]["base_model"],
        }
        for row in saved
    ]
    base = {"object": "model", "created": 0, "owned_by": "system", "parent": None}
    models += [{"id": name, **base} for name in backend.engine.models]
    return {"object": "list", "data": models}


def base_model_of(backend: Backend, call: Call) -> tuple[dict[str, Any], str]:
    """The model of the request, and the name of its base model."""
    name = model_names.parse(call.body["model"])
    try:
        base_model, path = source(backend, call.user, name)
    except Refusal as refusal:
        refusal.parameter, refusal.code = "model", "model_not_found"
        if name.path is None:
            refusal.detail = f"Model {call.body['model']!r} is not supported: {refusal.detail}"
        raise
    return {"base_model": base_model, "model_path": path}, base_model


async def tokenizer_for(backend: Backend, base_model: str) -> Tokenizer:
    return await asyncio.to_thread(tokenizer_of, backend.engine.models[base_model])


# ---- chat -------------------------------------------------------------------------------------


async def create_chat_completion(backend: Backend, call: Call) -> dict[str, Any] | Response:
    asked = dict(call.body)
    check_parameters("ChatCompletionRequest", asked, _IGNORED, _NEUTRAL)
    asked.setdefault("max_tokens", asked.get("max_completion_tokens"))
    model, base_model = base_model_of(backend, call)
    conversation = await _conversation(await tokenizer_for(backend, base_model), asked)
    topk = asked.get("top_logprobs") or 0
    if topk and not asked.get("logprobs"):
        raise Refusal(400, "top_logprobs needs logprobs", parameter="top_logprobs")
    stops = _stops(asked)
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
    made = {"role": role, "content": text_of(f"{place}.content", message.get("content"))}
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


def _stops(asked: Mapping[str, Any]) -> list[str]:
    stop = asked.get("stop") or []
    return [stop] if isinstance(stop, str) else [one for one in stop if one]


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
            "usage": _usage([self.drawing], self._choices, self._prompt_tokens),
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
            yield _event(error_form(refusal_of(failure))[1])
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
        if _include_usage(self._asked):
            usage = _usage([self.drawing], self._choices, self._prompt_tokens)
            yield _event({**self._chunk_head, "choices": [], "usage": usage})
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
        return _event({**self._chunk_head, "choices": [choice]})

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


def _usage(
    drawings: Sequence[Drawing], choices: Sequence[Choice], prompt_tokens: int
) -> dict[str, Any]:
    sampled = sum(len(choice.tokens) for choice in choices)
    cached = sum(int(one.result.get("prompt_cache_hit_tokens") or 0) for one in drawings)
    reasoning = sum(choice.assembler.reasoning_tokens for choice in choices)
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": sampled,
        "total_tokens": prompt_tokens + sampled,
        "prompt_tokens_details": {"cached_tokens": cached},
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }


def _include_usage(asked: Mapping[str, Any]) -> bool:
    options = asked.get("stream_options")
    return isinstance(options, dict) and bool(options.get("include_usage"))


def _event(body: Mapping[str, Any]) -> bytes:
    return b"data: " + bodies.dumps(body) + b"\n\n"


# ---- completions ------------------------------------------------------------------------------


async def create_completion(backend: Backend, call: Call) -> dict[str, Any] | Response:
    asked = dict(call.body)
    check_parameters("CompletionRequest", asked, _IGNORED, _NEUTRAL)
    asked.setdefault("max_tokens", 16)
    model, base_model = base_model_of(backend, call)
    tokenizer = await tokenizer_for(backend, base_model)
    prompts = await asyncio.to_thread(_prompts, tokenizer, asked["prompt"])
    stops, n = _stops(asked), asked.get("n", 1)
    ends = [] if tokenizer.eos_token_id is None else [tokenizer.eos_token_id]
    scored = bool(asked.get("echo")) and asked.get("logprobs") is not None
    parts = []
    for prompt in prompts:
        request = sample_request(
            prompt,
            [*stops, *ends],
            asked,
            num_samples=n,
            topk_sample_logprobs=asked.get("logprobs") or 0,
            prompt_logprobs=scored,
            topk_prompt_logprobs=(asked.get("logprobs") or 0) if scored else 0,
            **model,
        )
        choices = [Choice(assembler(tokenizer, ends, stops)) for _ in range(n)]
        parts.append(
            _Part(backend, tokenizer, asked, prompt, draw(backend, call, request), choices)
        )
    completion = _Completion(backend, asked, parts)
    if asked.get("stream"):
        return event_stream(completion.stream())
    for part in parts:
        await complete(part.drawing, part.choices)
    return completion.response()


def _prompts(tokenizer: Tokenizer, prompt: Any) -> list[list[int]]:
    """The token ids of each prompt."""
    if isinstance(prompt, str) or isinstance(prompt[0], int):
        prompt = [prompt]
    encoded = []
    for one in prompt:
        try:
            encoded.append(tokenizer.encode(one) if isinstance(one, str) else list(one))
            tokenizer.decode(encoded[-1])
        except ValueError as error:
            raise Refusal(400, f"prompt: {error}", parameter="prompt") from None
        if not encoded[-1]:
            raise Refusal(400, "prompt has no tokens", parameter="prompt")
    return encoded


class _Part:
    """The choices of one prompt."""

    def __init__(
        self,
        backend: Backend,
        tokenizer: Tokenizer,
        asked: Mapping[str, Any],
        prompt: Sequence[int],
        drawing: Drawing,
        choices: Sequence[Choice],
    ) -> None:
        self._backend = backend
        self._asked = asked
        self.prompt = prompt
        self.drawing = drawing
        self.choices = choices
        decoder = IncrementalDecoder(tokenizer)
        self._prompt_starts, text = [], ""
        for token_id in prompt if asked.get("echo") else ():
            self._prompt_starts.append(len(text))
            text += decoder.push(token_id)
        self.echo = text + decoder.finish()

    def choice(self, number: int, choice: Choice) -> dict[str, Any]:
        return {
            "text": self.echo + choice.text("content"),
            "finish_reason": choice.stop_reason,
            "logprobs": self._logprobs(number, choice),
        }

    def _logprobs(self, number: int, choice: Choice) -> dict[str, Any] | None:
        k = self._asked.get("logprobs")
        if k is None:
            return None
        result = self.drawing.result
        starts = choice.assembler.starts
        # Including the token that ended it, but not those after a stop string.
        cut = choice.assembler.stop_string is not None
        tokens = choice.tokens[: choice.assembler.shown] if cut else choice.tokens
        ids = [token.id for token in tokens]
        logprobs: list[float | None] = [token.logprob for token in tokens]
        topk = [_top(row) for row in result["sequences"][number].get("topk_logprobs") or ()]
        end = len(self.echo + choice.text("content"))
        offsets = [len(self.echo) + start for start in starts[: len(ids)]]
        offsets += [end] * (len(ids) - len(offsets))
        if self._asked.get("echo"):
            ids = [*self.prompt, *ids]
            logprobs = [*(result.get("prompt_logprobs") or [None] * len(self.prompt)), *logprobs]
            rows = result.get("topk_prompt_logprobs") or [None] * len(self.prompt)
            topk = [*map(_top, rows), *topk]
            offsets = [*self._prompt_starts, *offsets]
        return {
            "tokens": [self._name(id_) for id_ in ids],
            "token_logprobs": logprobs,
            "top_logprobs": [self._named(row) for row in topk[: len(ids)]] if k else None,
            "text_offset": offsets,
        }

    def _name(self, token_id: int) -> str:
        """The text of a token; escaped bytes for a part of a character, so that texts are unique."""
        content = self._backend.engine.token_bytes(self.drawing.base_model, token_id)
        try:
            return content.decode()
        except UnicodeDecodeError:
            return "bytes:" + "".join(f"\\x{byte:02x}" for byte in content)

    def _named(self, row: Sequence[tuple[int, float]] | None) -> dict[str, float] | None:
        return None if row is None else {self._name(id_): logprob for id_, logprob in row}


def _top(row: Sequence[Sequence[Any]] | None) -> list[tuple[int, float]] | None:
    return None if row is None else [(int(id_), float(logprob)) for id_, logprob in row]


class _Completion:
    """One completion of one or several prompts, as a whole or as a stream."""

    def __init__(self, backend: Backend, asked: Mapping[str, Any], parts: Sequence[_Part]) -> None:
        self._asked = asked
        self._parts = parts
        self._head = {
            "id": f"cmpl-{uuid.uuid4().hex}",
            "object": "text_completion",
            "created": int(backend.store.now()),
            "model": asked["model"],
        }

    def response(self) -> dict[str, Any]:
        made = [
            part.choice(number, choice)
            for part in self._parts
            for number, choice in enumerate(part.choices)
        ]
        choices = [{"index": index, **choice} for index, choice in enumerate(made)]
        return {**self._head, "choices": choices, "usage": self._usage()}

    async def stream(self) -> AsyncIterator[bytes]:
        whole = self._asked.get("logprobs") is not None
        first = 0
        try:
            for part in self._parts:
                for index in range(len(part.choices)):
                    if part.echo and not whole:
                        yield self._chunk(first + index, part.echo)
                async for index, pieces in drawn(part.drawing, part.choices):
                    for piece in pieces if not whole else ():
                        yield self._chunk(first + index, piece.text)
                for index, choice in enumerate(part.choices):
                    made = part.choice(index, choice)
                    yield self._chunk(first + index, **(made if whole else {**made, "text": ""}))
                first += len(part.choices)
        except OperationFailed as failure:
            yield _event(error_form(refusal_of(failure))[1])
            return
        if _include_usage(self._asked):
            yield _event({**self._head, "choices": [], "usage": self._usage()})
        yield b"data: [DONE]\n\n"

    def _chunk(
        self, index: int, text: str, finish_reason: str | None = None, logprobs: Any = None
    ) -> bytes:
        choice = {"index": index, "text": text, "finish_reason": finish_reason}
        return _event({**self._head, "choices": [{**choice, "logprobs": logprobs}]})

    def _usage(self) -> dict[str, Any]:
        usage = _usage(
            [part.drawing for part in self._parts],
            [choice for part in self._parts for choice in part.choices],
            sum(len(part.prompt) for part in self._parts),
        )
        del usage["completion_tokens_details"]
        return usage
