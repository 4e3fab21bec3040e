"""Shared by the routes of OpenAI clients: parameters without effect, the model, and the usage."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tinker.tokenizers import Tokenizer
from tinker_local import model_names
from tinker_local.chat.conversation import (
    tokenizer_of,
)
from tinker_local.errors import Refusal
from tinker_local.protocol.backend import Backend, Call
from tinker_local.protocol.choices import (
    Choice,
)
from tinker_local.protocol.drawing import Drawing
from tinker_local.protocol.handlers.sampling import source
from tinker_local.protocol.wire import bodies

IGNORED = frozenset(
    {"user", "metadata", "store", "safety_identifier", "prompt_cache_key", "prompt_cache_retention"}
)


def _is(*values: Any) -> Callable[[Any], bool]:
    return lambda value: value in values


NEUTRAL = {
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


async def tokenizer_for(backend: Backend, base_model: str, *, for_chat: bool = False) -> Tokenizer:
    spec = backend.engine.models[base_model]
    return await asyncio.to_thread(tokenizer_of, spec, for_chat=for_chat)


def stops_of(asked: Mapping[str, Any]) -> list[str]:
    stop = asked.get("stop") or []
    return [stop] if isinstance(stop, str) else [one for one in stop if one]


def usage_of(
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


def include_usage(asked: Mapping[str, Any]) -> bool:
    options = asked.get("stream_options")
    return isinstance(options, dict) and bool(options.get("include_usage"))


def event(body: Mapping[str, Any]) -> bytes:
    return b"data: " + bodies.dumps(body) + b"\n\n"
