"""The routes that OpenAI and Anthropic clients speak."""

from __future__ import annotations

from typing import Any

import orjson

from tinker._codec.media_types import EVENT_STREAM
from tinker.conformance.checks import check
from tinker.conformance.exchange import Exchange
from tinker.conformance.outcomes import Failed, expect
from tinker.conformance.subject import Subject
from tinker_api import security

HELLO = [{"role": "user", "content": "Hello"}]


def _chat(s: Subject, **fields: Any) -> dict[str, Any]:
    return {"model": s.base_model, "messages": HELLO, "max_tokens": 8, **fields}


def _events(s: Subject, operation: str, body: dict[str, Any]) -> list[str]:
    """The data of each event of a stream."""
    exchange = s.send(operation, {**body, "stream": True}, headers={"accept": EVENT_STREAM})
    s.offered(exchange)
    expect(exchange.status == 200, f"expected status 200, found {exchange.status}")
    expect(
        exchange.media_type == EVENT_STREAM,
        f"expected a stream of events, found {exchange.media_type}",
    )
    lines = exchange.body.decode().splitlines()
    return [line.removeprefix("data:").strip() for line in lines if line.startswith("data:")]


def _error(exchange: Exchange, *path: str) -> Any:
    """A field of an error's body."""
    expect(400 <= exchange.status < 500, f"expected a 4xx status, found {exchange.status}")
    found = exchange.json()
    for part in path:
        if not isinstance(found, dict) or part not in found:
            raise Failed(f"the body of the error has no {'.'.join(path)}")
        found = found[part]
    return found


# ---- OpenAI -----------------------------------------------------------------------------------


@check("list_models", "openai")
def list_models(s: Subject) -> None:
    """Lists the models that can be named; the key may come as `Authorization: Bearer`."""
    s.call("list_models")
    key = s.http.headers.get(security.HEADER, "")
    exchange = s.send("list_models", key=False, headers={"authorization": f"Bearer {key}"})
    expect(exchange.status == 200, f"with Bearer: expected status 200, found {exchange.status}")


@check("create_chat_completion", "openai", "create_sampling_session")
def create_chat_completion(s: Subject) -> None:
    """Completes a conversation: `n` choices of at most `max_tokens`, with the usage."""
    made = s.call("create_chat_completion", _chat(s, n=2, seed=1))
    found = [choice["index"] for choice in made["choices"]]
    expect(found == [0, 1], f"n is 2: expected choices 0 and 1, found {found}")
    expect(made["model"] == s.base_model, "model: expected what the request names")
    usage = made.get("usage") or {}
    expect(0 < usage.get("completion_tokens", 0) <= 16, f"usage of 2 choices of 8: found {usage}")


@check("create_chat_completion, stream", "openai", "create_chat_completion")
def stream_chat_completion(s: Subject) -> None:
    """A stream of chunks that ends with `[DONE]`; with `include_usage` the last chunk has no choices."""
    events = _events(s, "create_chat_completion", _chat(s, stream_options={"include_usage": True}))
    expect(bool(events) and events[-1] == "[DONE]", "the last event is not [DONE]")
    chunks = [orjson.loads(event) for event in events[:-1]]
    for chunk in chunks:
        s.fits("create_chat_completion", "ChatCompletionChunk", chunk)
    expect(
        bool(chunks) and chunks[-1]["choices"] == [] and bool(chunks[-1].get("usage")),
        "the last chunk is not one with the usage and no choices",
    )
    reasons = [c["finish_reason"] for chunk in chunks for c in chunk["choices"]]
    expect(reasons[-1] is not None and not any(reasons[:-1]), f"finish_reason: found {reasons}")


@check("errors of OpenAI routes", "openai", "create_chat_completion")
def openai_errors(s: Subject) -> None:
    """A refusal is `{"error": {"message", "type", "param", "code"}}`."""
    exchange = s.send("create_chat_completion", _chat(s, model="nobody/knows-this"))
    expect(bool(_error(exchange, "error", "message")), "error.message is empty")
    exchange = s.send("create_chat_completion", {"model": s.base_model})
    _error(exchange, "error", "type")
    exchange = s.send("create_chat_completion", _chat(s), key=False)
    expect(exchange.status == 401, f"without a key: expected status 401, found {exchange.status}")


@check("create_completion", "openai", "create_sampling_session")
def create_completion(s: Subject) -> None:
    """Completes a text, the same with the same seed; `echo` puts the prompt in front."""
    body = {"model": s.base_model, "prompt": "Hello", "max_tokens": 6, "seed": 3}
    first, second = (s.call("create_completion", body)["choices"][0]["text"] for _ in range(2))
    expect(first == second, f"the same seed: expected {first!r} again, found {second!r}")
    echoed = s.call("create_completion", {**body, "echo": True})["choices"][0]["text"]
    expect(
        echoed.startswith("Hello"), f"echo: expected text that begins with Hello, found {echoed!r}"
    )


# ---- Anthropic --------------------------------------------------------------------------------


@check("create_message", "anthropic", "create_sampling_session")
def create_message(s: Subject) -> None:
    """Completes a conversation; `max_tokens` ends it with `stop_reason` `max_tokens` at the latest."""
    made = s.call("create_message", _chat(s))
    expect(made["model"] == s.base_model, "model: expected what the request names")
    expect(0 < made["usage"]["output_tokens"] <= 8, f"max_tokens is 8: found {made['usage']}")
    expect(bool(made.get("stop_reason")), "stop_reason is missing")


@check("create_message, stream", "anthropic", "create_message")
def stream_message(s: Subject) -> None:
    """A stream from `message_start` to `message_stop`; each block is started and stopped."""
    events = [orjson.loads(event) for event in _events(s, "create_message", _chat(s))]
    kinds = [event.get("type") for event in events]
    expect(
        bool(kinds) and (kinds[0], kinds[-1]) == ("message_start", "message_stop"),
        f"expected events from message_start to message_stop, found {kinds}",
    )
    counts = [kinds.count(kind) for kind in ("content_block_start", "content_block_stop")]
    expect(counts[0] == counts[1], f"{counts[0]} blocks were started, {counts[1]} were stopped")


@check("count_message_tokens", "anthropic", "create_message")
def count_message_tokens(s: Subject) -> None:
    """Counts the tokens that `create_message` charges for."""
    body = {"model": s.base_model, "messages": HELLO}
    counted = s.call("count_message_tokens", body)["input_tokens"]
    usage = s.call("create_message", _chat(s))["usage"]
    charged = usage["input_tokens"] + (usage.get("cache_read_input_tokens") or 0)
    expect(counted == charged, f"expected {charged}, as create_message charges, found {counted}")


@check("errors of Anthropic routes", "anthropic", "create_message")
def anthropic_errors(s: Subject) -> None:
    """A refusal is `{"type": "error", "error": {"type", "message"}}`."""
    exchange = s.send("create_message", _chat(s, model="nobody/knows-this"))
    expect(_error(exchange, "type") == "error", "type: expected 'error'")
    expect(bool(_error(exchange, "error", "message")), "error.message is empty")
