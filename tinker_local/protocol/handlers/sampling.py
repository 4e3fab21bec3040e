"""Samplers and sampling."""

from __future__ import annotations

import asyncio
import codecs
import math
import uuid
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from typing import Any

import orjson
from starlette.responses import Response, StreamingResponse

from tinker._codec.media_types import EVENT_STREAM
from tinker_local.errors import Refusal
from tinker_local.model_names import ModelName, are_variants
from tinker_local.protocol.backend import Backend, Call, digest_of
from tinker_local.protocol.wire import bodies, results
from tinker_local.state.store import DONE, FAILED


async def create_sampling_session(backend: Backend, call: Call) -> dict[str, Any]:
    session_id = call.body["session_id"]
    number = int(call.body["sampling_session_seq_id"])
    sampler_id = f"{session_id}:sample:{number}"
    answer = {"type": "create_sampling_session", "sampling_session_id": sampler_id}
    backend.own("sessions", "session_id", session_id, call.user)
    known = backend.store.get("samplers", sampler_id)
    if known is not None:
        asked = call.body.get("base_model"), call.body.get("model_path")
        base_model, path = known["base_model"], known["model_path"]
        given = {(base_model, path)} | ({(None, path)} if path is not None else set())
        if asked not in given or known["model_id"] is not None:
            raise Refusal(409, f"sampling_session_seq_id {number} was used by a different request")
        return answer
    base_model, model_path = source(backend, call.user, _model(call))
    backend.open_session(session_id, call.user)
    backend.store.insert(
        "samplers",
        id=sampler_id,
        session_id=session_id,
        owner=call.user,
        created=backend.store.now(),
        base_model=base_model,
        model_path=model_path,
    )
    return answer


def _model(call: Call) -> ModelName:
    base_model, model_path = call.body.get("base_model"), call.body.get("model_path")
    if base_model is None and model_path is None:
        raise Refusal(400, "Give base_model, model_path or both")
    return ModelName(base_model, model_path)


def source(backend: Backend, user: str, model: ModelName) -> tuple[str, str | None]:
    """What to sample from: a base model, and a checkpoint if it is not the base model alone.

    Refuses what is not on offer, not the user's to read, or does not fit together.
    """
    if model.path is None:
        backend.check_base_model(model.base_model or "")
        return model.base_model or "", None
    checkpoint = backend.catalog.readable(model.path, user)
    if checkpoint["kind"] == "external_weights":
        raise Refusal(400, f"{model.path} is for use elsewhere; sample from (sampler_)weights")
    trained_on = checkpoint["facts"]["base_model"]
    if model.base_model is None:
        return trained_on, model.path
    if not are_variants(model.base_model, trained_on):
        raise Refusal(400, f"{model.path} belongs to {trained_on}, not to {model.base_model}")
    backend.check_base_model(model.base_model)
    return model.base_model, model.path


async def get_sampler(backend: Backend, call: Call) -> dict[str, Any]:
    sampler = backend.own("samplers", "sampler_id", call.parameters["sampler_id"], call.user)
    return {
        "sampler_id": sampler["id"],
        "base_model": sampler["base_model"],
        "model_path": sampler["model_path"],
    }


async def asample(backend: Backend, call: Call) -> dict[str, Any]:
    request_id = _request_id(call)
    _promise_sample(backend, call, request_id)
    count = int(call.body.get("num_samples") or 1)
    return {
        "request_id": request_id,
        "sample_sequence_ids": [f"{request_id}:{index}" for index in range(count)],
    }


def _request_id(call: Call) -> str:
    sampler_id, seq_id = call.body.get("sampling_session_id"), call.body.get("seq_id")
    if sampler_id is None:
        return str(uuid.uuid4())
    return f"{sampler_id}:{uuid.uuid4().hex if seq_id is None else int(seq_id)}"


def _promise_sample(backend: Backend, call: Call, request_id: str) -> str:
    """Queue a sample, unless it was promised before; returns the base model's name."""
    sampler_id = call.body.get("sampling_session_id")
    if sampler_id is None:
        model = ModelName(*source(backend, call.user, _model(call)))
        backend.promise(call, "asample", str(model), request_id, seq_id=None, digest=b"")
        return model.base_model or ""
    sampler = backend.own("samplers", "sampling_session_id", sampler_id, call.user)
    digest = digest_of("asample", call)
    if not backend.repeated(request_id, digest, "seq_id"):
        query = "SELECT 1 FROM ephemeral_weights WHERE sampler_id = ?"
        if sampler["model_id"] is not None and not backend.store.select(query, sampler_id):
            raise Refusal(
                410, f"The weights of {sampler_id} are no longer kept: its session is over"
            )
        backend.promise(call, "asample", sampler_id, request_id, seq_id=None, digest=digest)
    base_model: str = sampler["base_model"]
    return base_model


async def join_sampling_session(backend: Backend, call: Call) -> dict[str, Any]:
    sampler_id = call.body["sampling_session_id"]
    with backend.store.transaction():
        sampler = backend.own("samplers", "sampling_session_id", sampler_id, call.user)
        number = sampler["joined"] + 1
        backend.store.write("UPDATE samplers SET joined = ? WHERE id = ?", number, sampler_id)
    return {"type": "join_sampling_session", "client_counter": number}


async def stream_sample(backend: Backend, call: Call) -> Response:
    loop = asyncio.get_running_loop()
    drawn: asyncio.Queue[_Token | None] = asyncio.Queue()
    listeners = backend.operations.listeners

    def heard(index: int, token: int, logprob: float) -> None:  # on the engine's thread
        loop.call_soon_threadsafe(drawn.put_nowait, (index, token, logprob))

    request_id = _request_id(call)
    listeners[request_id] = heard
    try:
        base_model = _promise_sample(backend, call, request_id)
    except BaseException:
        del listeners[request_id]
        raise
    request = backend.store.request(request_id)
    assert request is not None, "it is promised"
    token_bytes = partial(backend.engine.token_bytes, base_model)

    async def events() -> AsyncIterator[bytes]:
        texts: defaultdict[int, codecs.IncrementalDecoder] = defaultdict(partial(_utf8, "replace"))
        told: Counter[int] = Counter()
        done = asyncio.create_task(backend.scheduler.wait(request_id, math.inf))
        done.add_done_callback(lambda _: drawn.put_nowait(None))
        try:
            while (token := await drawn.get()) is not None:
                told[token[0]] += 1
                yield _event(_token_event(token_bytes, token, texts))
            settled = backend.store.request(request_id)
            assert settled is not None
            if settled.state == FAILED:
                yield _event({"error": orjson.loads(backend.store.result(request_id))["error"]})
                return
            if settled.state != DONE:
                yield _event({"error": "The result is no longer kept"})
                return
            sample = orjson.loads(results.sample_to_json(backend.store.result(request_id)))
            for index, sequence in enumerate(sample["sequences"]):
                # What was drawn before anybody listened: a repeated request, or one taken up after a crash.
                rest = zip(sequence["tokens"], sequence["logprobs"], strict=True)
                for token_id, logprob in list(rest)[told[index] :]:
                    yield _event(_token_event(token_bytes, (index, token_id, logprob), texts))
                end = {"index": index, "finish_reason": sequence["stop_reason"]}
                yield _event({**end, "total_tokens": len(sequence["tokens"])})
        finally:
            done.cancel()
            listeners.pop(request_id, None)
            backend.cancel(request, "The reader of the stream has gone")

    return StreamingResponse(
        events(), media_type=EVENT_STREAM, headers={"Cache-Control": "no-store"}
    )


_Token = tuple[int, int, float]
_utf8 = codecs.getincrementaldecoder("utf-8")


def _token_event(
    token_bytes: Callable[[int], bytes],
    token: _Token,
    texts: Mapping[int, codecs.IncrementalDecoder],
) -> dict[str, Any]:
    """A token, and the text it completes: a character may take several tokens."""
    index, token_id, logprob = token
    text = texts[index].decode(token_bytes(token_id))
    return {"index": index, "token_id": token_id, "token": text, "logprob": logprob}


def _event(body: Mapping[str, Any]) -> bytes:
    return b"data: " + bodies.dumps(body) + b"\n\n"
