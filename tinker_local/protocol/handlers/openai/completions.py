"""Completions of texts, as a whole or as a stream."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from starlette.responses import Response

from tinker.tokenizers import IncrementalDecoder, Tokenizer
from tinker_local.chat.conversation import (
    assembler,
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


async def create_completion(backend: Backend, call: Call) -> dict[str, Any] | Response:
    asked = dict(call.body)
    check_parameters("CompletionRequest", asked, IGNORED, NEUTRAL)
    asked.setdefault("max_tokens", 16)
    model, base_model = base_model_of(backend, call)
    tokenizer = await tokenizer_for(backend, base_model)
    prompts = await asyncio.to_thread(_prompts, tokenizer, asked["prompt"])
    stops, n = stops_of(asked), asked.get("n", 1)
    ends = [] if tokenizer.eos_token_id is None else [tokenizer.eos_token_id]
    scored = bool(asked.get("echo")) and asked.get("logprobs") is not None
    completion = _Completion(backend, asked)
    try:
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
            drawing = draw(backend, call, request)
            completion.parts.append(_Part(backend, tokenizer, asked, prompt, drawing, choices))
        if asked.get("stream"):
            return event_stream(completion.stream())
        for part in completion.parts:
            await complete(part.drawing, part.choices)
    except BaseException:
        completion.withdraw()
        raise
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

    def __init__(self, backend: Backend, asked: Mapping[str, Any]) -> None:
        self._asked = asked
        self.parts: list[_Part] = []
        self._head = {
            "id": f"cmpl-{uuid.uuid4().hex}",
            "object": "text_completion",
            "created": int(backend.store.now()),
            "model": asked["model"],
        }

    def withdraw(self) -> None:
        """Let go of what is not drawn yet."""
        for part in self.parts:
            part.drawing.withdraw()

    def response(self) -> dict[str, Any]:
        made = [
            part.choice(number, choice)
            for part in self.parts
            for number, choice in enumerate(part.choices)
        ]
        choices = [{"index": index, **choice} for index, choice in enumerate(made)]
        return {**self._head, "choices": choices, "usage": self._usage()}

    async def stream(self) -> AsyncIterator[bytes]:
        whole = self._asked.get("logprobs") is not None
        first = 0
        try:
            for part in self.parts:
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
            yield event(error_form(refusal_of(failure))[1])
            return
        finally:
            self.withdraw()
        if include_usage(self._asked):
            yield event({**self._head, "choices": [], "usage": self._usage()})
        yield b"data: [DONE]\n\n"

    def _chunk(
        self, index: int, text: str, finish_reason: str | None = None, logprobs: Any = None
    ) -> bytes:
        choice = {"index": index, "text": text, "finish_reason": finish_reason}
        return event({**self._head, "choices": [{**choice, "logprobs": logprobs}]})

    def _usage(self) -> dict[str, Any]:
        usage = usage_of(
            [part.drawing for part in self.parts],
            [choice for part in self.parts for choice in part.choices],
            sum(len(part.prompt) for part in self.parts),
        )
        del usage["completion_tokens_details"]
        return usage
