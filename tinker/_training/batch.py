"""Sends a chunk of a batch in the encoding that the server reads.

The codecs are imported with the first chunk: they need numpy, which takes longer than a client's creation.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal

import httpx
import orjson
from attrs import frozen

from tinker import _log, types
from tinker._codec.media_types import is_protobuf
from tinker._protocol import outcome, retry
from tinker._protocol.connection import sdk_headers
from tinker._protocol.progress import Progress
from tinker._protocol.server_traits import REFUSALS_OF_A_ROUTE, REFUSALS_OF_AN_ENCODING, Encoding
from tinker._protocol.session import Session
from tinker.errors import APIError, APIStatusError
from tinker_api import models
from tinker_api.api.training import forward, forward_backward
from tinker_api.types import UNSET, File, Request, Response, Unset


@frozen
class Batch:
    """One chunk: what to compute, and the data."""

    model_id: str
    data: Sequence[types.Datum]
    size: int
    """Estimated size of the request in bytes."""
    loss_fn: str
    loss_fn_config: Mapping[str, float | str] | None
    backward: bool
    first: int = 0
    """Index of its first datum within the call."""


async def send(
    session: Session, batch: Batch, seq_id: int, progress: Progress
) -> models.UntypedAPIFuture:
    """Send a chunk and return its promise. It is encoded once there is room for it among the chunks being sent."""
    progress.doing = "waiting for other chunks to be sent"
    await session.sending.take(batch.size)
    try:
        progress.doing = "waiting for the server to accept the request"
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
            # Another chunk may have found out while this one waited for the lock.
            if traits.training_encoding is None:
                response = await _learn(session, batch, seq_id, progress)
                return session.connection.parse(response, progress)
    response = await _send(session, batch, seq_id, progress, traits.training_encoding)
    return session.connection.parse(response, progress)


async def _learn(
    session: Session, batch: Batch, seq_id: int, progress: Progress
) -> Response[models.UntypedAPIFuture]:
    """Send in the more likely encoding; if that is certainly rejected, in the other one. Remember which one was accepted.

    A 500 does not tell whether the batch was accepted. It is first sent again in the same encoding, so that a server that
    has accepted it recognizes it; if the other encoding fails too, the batch does not count as rejected.
    """
    traits = session.traits
    guess, other = traits.first_guess, traits.first_guess.other
    try:
        first = await _insist(session, batch, seq_id, progress, guess)
    except ValueError as unsayable:
        try:
            response = await _send(session, batch, seq_id, progress, other)
        except APIStatusError as refused:
            if refused.outcome_unknown:
                raise
            raise _unsayable(refused.message, other, unsayable) from None
        traits.training_encoding = other
        return response
    if first.status_code < 300:
        traits.training_encoding = guess
        return first
    may_be_taken = outcome.may_be_done(first.raw)
    refusals = (*REFUSALS_OF_AN_ENCODING, *REFUSALS_OF_A_ROUTE, 409)
    try:
        second = await _send(session, batch, seq_id, progress, other, refusals)
    except ValueError as unsayable:
        if may_be_taken:
            return await _persist(session, batch, seq_id, progress, guess)
        refusal = session.connection.failures.refusal(first.raw, progress).message
        raise _unsayable(refusal, guess, unsayable) from None
    except APIError as failed:
        failed.outcome_unknown |= may_be_taken
        raise
    if second.status_code < 300:
        reason = session.connection.failures.refusal(first.raw, progress).message.rstrip(".")
        _log.ENCODING_LEARNED(error=reason, encoding=other)
        traits.training_encoding = other
        return second
    if may_be_taken:
        return await _persist(session, batch, seq_id, progress, guess)
    if outcome.may_be_done(second.raw):
        return await _persist(session, batch, seq_id, progress, other)
    # Rejected in both: the reason is the content. Prefer the response to the encoding that was read, and JSON's if both
    # were, because people can read JSON.
    responses = [(guess, first), (other, second)]
    was_read = [(e, r) for e, r in responses if r.status_code not in (404, 405, 415)]
    in_json = [pair for pair in was_read if pair[0] is Encoding.JSON]
    _, response = (in_json or was_read or responses)[0]
    raise session.connection.failures.refusal(response.raw, progress)


async def _insist(
    session: Session, batch: Batch, seq_id: int, progress: Progress, encoding: Encoding
) -> Response[models.UntypedAPIFuture]:
    """Send a batch until it is accepted, or rejected so often that the encoding must be the reason."""
    refusals: Counter[int] = Counter()
    may_be_taken = False
    while True:
        try:
            response = await _send(
                session, batch, seq_id, progress, encoding, tuple(REFUSALS_OF_AN_ENCODING)
            )
        except APIError as failed:
            failed.outcome_unknown |= may_be_taken
            raise
        status = response.status_code
        refusals[status] += 1
        may_be_taken |= outcome.may_be_done(response.raw)
        if may_be_taken:
            outcome.mark(response.raw)
        if status < 300 or refusals[status] >= REFUSALS_OF_AN_ENCODING[status]:
            return response
        pause, telemetry = retry.first_pause() * refusals.total(), session.telemetry
        telemetry.retrying(progress.operation, progress, refusals.total(), str(status), pause)
        await telemetry.pause(pause, str(status))


async def _persist(
    session: Session, batch: Batch, seq_id: int, progress: Progress, encoding: Encoding
) -> Response[models.UntypedAPIFuture]:
    """Send a batch that may already be accepted, in the same encoding and like any other request."""
    try:
        response = await _send(session, batch, seq_id, progress, encoding)
    except APIError as error:
        error.outcome_unknown = True
        raise
    session.traits.training_encoding = encoding
    return response


def _unsayable(refusal: str, encoding: Encoding, reason: ValueError) -> ValueError:
    return ValueError(
        f"{refusal.rstrip('.')} - in {encoding}; and in {encoding.other} it cannot be sent: {reason}"
    )


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


def content(batches: Sequence[Batch]) -> bytes:
    """What the chunks of a call ask for, whichever encoding they are sent in."""
    from tinker._codec import json as json_codec, protobuf  # noqa: PLC0415  # with numpy

    found: list[bytes] = []
    for batch in batches:
        head = batch.loss_fn, batch.loss_fn_config
        try:
            forward_only = not batch.backward
            found.append(
                protobuf.encode_forward_backward(
                    "", 0, batch.data, *head, forward_only=forward_only
                )
            )
        except ValueError:  # JSON alone can carry it
            data = json_codec.training_input(batch.data, *head, batch.first)
            found.append(orjson.dumps([batch.backward, data.to_dict()]))
    return b"\0".join(found)


def decode(response: httpx.Response) -> types.ForwardBackwardOutput:
    """Decode the result of a chunk, in either encoding."""
    from tinker._codec import json as json_codec, protobuf  # noqa: PLC0415  # with numpy

    if not response.content:
        raise ValueError("the body is empty")
    if is_protobuf(response.headers):
        return protobuf.decode_forward_backward_output(response.content)
    return json_codec.forward_backward_output(response.content)
