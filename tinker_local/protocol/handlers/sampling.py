"""Samplers and sampling."""

from __future__ import annotations

import codecs
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing
from functools import partial
from typing import Any

from attrs import evolve
from starlette.responses import Response

from tinker._codec.media_types import JSON
from tinker_local.errors import OperationFailed, Refusal
from tinker_local.model_names import ModelName, are_variants
from tinker_local.protocol.backend import Backend, Call, digest_of, reused
from tinker_local.protocol.drawing import Drawing, Token, event_stream
from tinker_local.protocol.wire import bodies


async def create_sampling_session(backend: Backend, call: Call) -> dict[str, Any]:
    session_id = call.body["session_id"]
    number = int(call.body["sampling_session_seq_id"])
    sampler_id = f"{session_id}:sample:{number}"
    response = {"type": "create_sampling_session", "sampling_session_id": sampler_id}
    backend.own("sessions", "session_id", session_id, call.user)
    known = backend.store.get("samplers", sampler_id)
    if known is not None:
        asked = call.body.get("base_model"), call.body.get("model_path")
        base_model, path = known["base_model"], known["model_path"]
        given = {(base_model, path)} | ({(None, path)} if path is not None else set())
        if asked not in given or known["model_id"] is not None:
            raise reused(f"sampling_session_seq_id {number}")
        return response
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
    return response


def _model(call: Call) -> ModelName:
    base_model, model_path = call.body.get("base_model"), call.body.get("model_path")
    if base_model is None and model_path is None:
        raise Refusal(400, "Give base_model, model_path or both")
    return ModelName(base_model, model_path)


def source(backend: Backend, user: str, model: ModelName) -> tuple[str, str | None]:
    """Find what to sample from: a base model, and optionally a checkpoint.

    Rejects models that are not offered, that the user may not read, or that do not fit together.
    """
    if model.path is None:
        backend.check_base_model(model.base_model or "")
        return model.base_model or "", None
    checkpoint = backend.catalog.readable(model.path, user)
    if backend.catalog.files.is_encrypted(checkpoint["folder"]):
        raise Refusal(400, f"{model.path} is encrypted for use elsewhere")
    trained_on = checkpoint["facts"]["base_model"]
    if model.base_model is None:
        return trained_on, model.path
    if not are_variants(model.base_model, trained_on):
        raise Refusal(400, f"{model.path} belongs to {trained_on}, not to {model.base_model}")
    backend.check_base_model(model.base_model)
    return model.base_model, model.path


async def get_sampler(backend: Backend, call: Call) -> dict[str, Any]:
    sampler = backend.own("samplers", "sampler_id", call.parameters["sampler_id"], call.user)
    # A restarted server may no longer offer the model.
    spec = backend.engine.models.get(sampler["base_model"])
    return {
        "sampler_id": sampler["id"],
        "base_model": sampler["base_model"],
        "model_path": sampler["model_path"],
        "tokenizer_id": spec.tokenizer_id if spec else None,
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
    return f"{sampler_id}:{uuid.uuid4() if seq_id is None else int(seq_id)}"


def _promise_sample(backend: Backend, call: Call, request_id: str) -> str:
    """Queue a sample, unless it already has a promise; returns the name of the base model."""
    sampler_id = call.body.get("sampling_session_id")
    if sampler_id is None:
        model = ModelName(*source(backend, call.user, _model(call)))
        _check_context(backend, call, model.base_model or "")
        backend.promise(call, "asample", str(model), request_id, seq_id=None, digest=b"")
        return model.base_model or ""
    sampler = backend.own("samplers", "sampling_session_id", sampler_id, call.user)
    digest = digest_of("asample", call)
    if not backend.repeated(request_id, digest, "seq_id"):
        _check_context(backend, call, sampler["base_model"])
        query = "SELECT 1 FROM ephemeral_weights WHERE sampler_id = ?"
        if sampler["model_id"] is not None and not backend.store.select(query, sampler_id):
            raise Refusal(
                410, f"The weights of {sampler_id} are no longer kept: its session has ended"
            )
        backend.promise(call, "asample", sampler_id, request_id, seq_id=None, digest=digest)
    base_model: str = sampler["base_model"]
    return base_model


def _check_context(backend: Backend, call: Call, base_model: str) -> None:
    """Reject a prompt that leaves no room for `max_tokens`."""
    limit = backend.engine.models[base_model].max_context_length
    length = sum(len(chunk.get("tokens", ())) for chunk in call.body["prompt"]["chunks"])
    wanted = int(call.body["sampling_params"].get("max_tokens") or 0)
    if length + wanted > limit:
        raise Refusal(
            400,
            "Prompt length plus max_tokens exceeds the model's context window: "
            f"{length} + {wanted} > {limit}",
            parameter="max_tokens",
        )


async def join_sampling_session(backend: Backend, call: Call) -> dict[str, Any]:
    sampler_id = call.body["sampling_session_id"]
    with backend.store.transaction():
        sampler = backend.own("samplers", "sampling_session_id", sampler_id, call.user)
        number = sampler["joined"] + 1
        backend.store.write("UPDATE samplers SET joined = ? WHERE id = ?", number, sampler_id)
    return {"type": "join_sampling_session", "client_counter": number}


async def stream_sample(backend: Backend, call: Call) -> Response:
    request_id = _request_id(call)
    drawing = Drawing(backend, request_id, lambda: _promise_sample(backend, call, request_id))
    return event_stream(_events(backend, drawing))


async def _events(backend: Backend, drawing: Drawing) -> AsyncIterator[bytes]:
    texts: defaultdict[int, codecs.IncrementalDecoder] = defaultdict(partial(_utf8, "replace"))
    token_bytes = partial(backend.engine.token_bytes, drawing.base_model)
    try:
        async with aclosing(drawing.tokens()) as tokens:
            async for token in tokens:
                yield _event(_token_event(token_bytes, token, texts[token.index]))
    except OperationFailed as failure:
        yield _event({"error": str(failure)})
        return
    for index, sequence in enumerate(drawing.result["sequences"]):
        end = {"index": index, "finish_reason": sequence["stop_reason"]}
        if unfinished := texts[index].decode(b"", final=True):  # the sample ends in a character
            end["token"] = unfinished
        yield _event({**end, "total_tokens": len(sequence["tokens"])})


_utf8 = codecs.getincrementaldecoder("utf-8")


def _token_event(
    token_bytes: Callable[[int], bytes], token: Token, text: codecs.IncrementalDecoder
) -> dict[str, Any]:
    """A token, and the text it completes: a character may take several tokens."""
    added = text.decode(token_bytes(token.id))
    return {"index": token.index, "token_id": token.id, "token": added, "logprob": token.logprob}


def _event(body: Mapping[str, Any]) -> bytes:
    return b"data: " + bodies.dumps(body) + b"\n\n"


def draw(backend: Backend, call: Call, body: dict[str, Any]) -> Drawing:
    """Start a sample from a model, without a sampler, for the user of the request."""
    request_id = str(uuid.uuid4())
    asked = evolve(call, body=body, content=bodies.dumps(body), media_type=JSON)
    return Drawing(backend, request_id, lambda: _promise_sample(backend, asked, request_id))
