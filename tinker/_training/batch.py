"""Sending a chunk of a batch in the encoding that the server reads.

The codecs are imported with the first chunk: they need numpy, which takes longer than a client's creation.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Literal

import httpx
from attrs import frozen

from tinker import types
from tinker._codec.media_types import is_protobuf
from tinker._protocol import retry
from tinker._protocol.connection import sdk_headers
from tinker._protocol.progress import Progress
from tinker._protocol.server_traits import REFUSALS_OF_AN_ENCODING, Encoding
from tinker._protocol.session import Session
from tinker_api import models
from tinker_api.api.training import forward, forward_backward
from tinker_api.types import UNSET, File, Request, Response, Unset


@frozen
class Batch:
    """One chunk: what to compute of which data."""

    model_id: str
    data: Sequence[types.Datum]
    size: int
    """Bytes of the request, roughly."""
    loss_fn: str
    loss_fn_config: Mapping[str, float | str] | None
    backward: bool
    first: int = 0
    """Which datum of the call its first one is."""


async def send(
    session: Session, batch: Batch, seq_id: int, progress: Progress
) -> models.UntypedAPIFuture:
    """Send a chunk and return the promise. It is encoded when there is room for it among those being sent."""
    progress.doing = "waiting for other chunks to be sent"
    await session.sending.take(batch.size)
    try:
        progress.doing = "waiting for the server to take the request"
        return await _encoded(session, batch, seq_id, progress)
    finally:
        session.sending.release(batch.size)


async def _encoded(
    session: Session, batch: Batch, seq_id: int, progress: Progress
) -> models.UntypedAPIFuture:
    """Send a chunk; the session's first one finds out which encoding to use."""
    traits = session.traits
    if traits.training_encoding is None:
        async with traits.learning:
            # Another chunk may have found out while this one waited.
            if traits.training_encoding is None:
                response = await _try(session, batch, seq_id, progress)
                return session.connection.parse(response, progress)
    response = await _send(session, batch, seq_id, progress, traits.training_encoding)
    return session.connection.parse(response, progress)


async def _try(
    session: Session, batch: Batch, seq_id: int, progress: Progress
) -> Response[models.UntypedAPIFuture]:
    """Send in the likelier encoding; if that is refused, in the other one; remember which was taken."""
    traits = session.traits
    guess = traits.first_guess
    passed = tuple(REFUSALS_OF_AN_ENCODING)
    refused: list[tuple[Encoding, Response[models.UntypedAPIFuture]]] = []
    unsayable: ValueError | None = None
    for encoding in (guess, guess.other):
        try:
            response = await _send(session, batch, seq_id, progress, encoding, passed)
        except ValueError as reason:
            unsayable = unsayable or reason
            continue
        if response.status_code < 300:
            traits.training_encoding = encoding
            return response
        refused.append((encoding, response))
        passed = (*passed, 404, 405)
    if unsayable is not None:
        if not refused:
            raise unsayable
        encoding, response = refused[0]
        refusal = session.connection.refusal(response.raw, progress).message.rstrip(".")
        raise ValueError(
            f"{refusal} - in {encoding}; and in {encoding.other} it cannot be sent: {unsayable}"
        )
    # Refused in both: the reason is the content. Said best by the answer that has read it, and by JSON's, which
    # people can read, if both have.
    has_read = [(e, r) for e, r in refused if r.status_code not in (404, 405, 415)]
    in_json = [pair for pair in has_read if pair[0] is Encoding.JSON]
    encoding, response = (in_json or has_read or refused)[0]
    _, last = refused[-1]
    if response.status_code >= 500 and last.status_code in (404, 405):
        error = session.connection.refusal(last.raw, progress)
        error.add_note(f"In {encoding} it was refused with status {response.status_code}.")
        raise error
    if response.status_code >= 500:
        # Not a refusal after all: repeat it as any other request.
        response = await _send(session, batch, seq_id, progress, encoding)
        traits.training_encoding = encoding
        return response
    raise session.connection.refusal(response.raw, progress)


async def _send(
    session: Session,
    batch: Batch,
    seq_id: int,
    progress: Progress,
    encoding: Encoding,
    passed: tuple[int, ...] = (),
) -> Response[models.UntypedAPIFuture]:
    request = await _request(session, batch, seq_id, progress, encoding)
    return await session.connection.call(request, progress, policy=retry.PERSISTENT, passed=passed)


async def _request(
    session: Session, batch: Batch, seq_id: int, progress: Progress, encoding: Encoding
) -> Request[models.UntypedAPIFuture]:
    from tinker._codec import json as json_codec, protobuf  # noqa: PLC0415  # with numpy

    sdk = sdk_headers(f"TrainingClient.{progress.operation}")
    if encoding is Encoding.PROTOBUF:
        content = protobuf.encode_forward_backward(
            batch.model_id,
            seq_id,
            batch.data,
            batch.loss_fn,
            batch.loss_fn_config,
            forward_only=not batch.backward,
        )
        compression: Literal["zstd"] | Unset = UNSET
        if session.config.proto_compress_fwdbwd:
            from tinker._codec import zstd  # noqa: PLC0415  # few servers ask for it

            content = await asyncio.to_thread(zstd.compress, content)
            compression = "zstd"
        return forward_backward.request(body=File(content), content_encoding=compression, **sdk)
    data = json_codec.training_input(batch.data, batch.loss_fn, batch.loss_fn_config, batch.first)
    if batch.backward:
        body = models.ForwardBackwardRequest(
            model_id=batch.model_id, seq_id=seq_id, forward_backward_input=data
        )
        return forward_backward.request(body=body, **sdk)
    return forward.request(
        body=models.ForwardRequest(model_id=batch.model_id, seq_id=seq_id, forward_input=data),
        **sdk,
    )


def decode(response: httpx.Response) -> types.ForwardBackwardOutput:
    """The result of a chunk, in whichever encoding it came."""
    from tinker._codec import json as json_codec, protobuf  # noqa: PLC0415  # with numpy

    if is_protobuf(response.headers):
        return protobuf.decode_forward_backward_output(response.content)
    return json_codec.forward_backward_output(response.content)
