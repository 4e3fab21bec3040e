"""Results of promises."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import orjson
from starlette.responses import Response

from tinker._codec import media_types
from tinker_local.errors import Refusal
from tinker_local.protocol.backend import Backend, Call
from tinker_local.protocol.wire import results
from tinker_local.state import disk
from tinker_local.state.store import DONE, DROPPED, FAILED, PENDING, Request

_TO_JSON = {
    "forward": results.loss_to_json,
    "forward_backward": results.loss_to_json,
    "asample": results.sample_to_json,
}
_LARGE = 2**18


async def retrieve_future(backend: Backend, call: Call) -> dict[str, Any] | Response:
    request = _own(backend, call)
    request = await backend.result(request, backend.options.poll_seconds)
    if request.state == PENDING:
        reason = backend.scheduler.reason(request)
        state = "active" if backend.scheduler.trouble is None else "paused_capacity"
        pending = {"type": "try_again", "request_id": request.id, "queue_state": state}
        return {**pending, "queue_state_reason": reason} if reason else pending
    if request.state == DROPPED:
        why = "was not read in time" if request.read is None else "was read"
        raise Refusal(410, f"The result of {request.id} {why} and is no longer kept")
    if request.state == FAILED:
        return _failure(backend.store.result(request.id), call)
    size = request.result_size or 0
    if call.body.get("allow_metadata_only") and size >= backend.options.metadata_bytes:
        return {
            "type": "complete_metadata",
            "status": "complete_metadata",
            "response_payload_size": size,
        }
    content = backend.store.result(request.id)
    if request.result_type == media_types.JSON:
        return Response(content, media_type=media_types.JSON)
    if backend.options.protobuf and media_types.PROTOBUF in call.headers.get("accept", ""):
        return Response(content, media_type=media_types.PROTOBUF)
    to_json = _TO_JSON[request.operation]
    body = await asyncio.to_thread(to_json, content) if size > _LARGE else to_json(content)
    return Response(body, media_type=media_types.JSON)


async def retrieve_futures(backend: Backend, call: Call) -> dict[str, Any]:
    target = call.body["target"]
    sampler_id, clone = target["sampling_session_id"], int(target.get("cloned_sampler_id") or 0)
    backend.own("samplers", "sampling_session_id", sampler_id, call.user)
    cursor = int(call.body.get("prev_cursor") or 0)
    with disk.unless_full():
        backend.store.drop_results(call.body.get("retrieved_request_ids") or [], call.user)
        backend.store.write(
            "DELETE FROM completions WHERE target = ? AND clone = ? AND id <= ?",
            sampler_id,
            clone,
            min(cursor, 2**63 - 1),
        )
    query = (
        "SELECT * FROM completions WHERE target = ? AND clone = ? AND id > ? ORDER BY id LIMIT ?"
    )
    wanted = call.body.get("timeout")
    longest = backend.options.feed_seconds
    until = time.monotonic() + (longest if wanted is None else min(float(wanted), longest))
    while True:
        rows = backend.store.select(
            query, sampler_id, clone, min(cursor, 2**63 - 1), MAX_COMPLETIONS
        )
        left = until - time.monotonic()
        if rows or left <= 0:
            break
        await backend.scheduler.wait_for_target(sampler_id, left)
        if backend.scheduler.stopping:
            break
    completions = [
        {
            "state": "finished",
            "request_id": row["request_id"],
            "response_payload_uncompressed_size": row["size"],
        }
        if row["state"] == DONE
        else {"state": "failed", "request_id": row["request_id"]}
        for row in rows
    ]
    return {"completions": completions, "cursor": rows[-1]["id"] if rows else cursor}


MAX_COMPLETIONS = 1000
"""Maximum number of completions in one response of the feed."""


async def cancel_future(backend: Backend, call: Call) -> dict[str, Any]:
    request = _own(backend, call)
    backend.cancel(request, "The sample was cancelled")
    return {"type": "cancel_future"}


def _own(backend: Backend, call: Call) -> Request:
    request_id = call.body["request_id"]
    request = backend.store.request(request_id)
    if request is None:
        raise Refusal(404, f"Unknown request_id: {request_id}")
    if request.owner != call.user:
        raise Refusal(403, "You do not have access to this request")
    return request


def _failure(result: bytes, call: Call) -> dict[str, Any]:
    failure = orjson.loads(result)
    if call.headers.get("user-agent", "").startswith("AsyncTinkex"):
        # This client needs failures in its own format, and polls forever for those of other categories.
        error = {"message": failure["error"], "category": "user"}
        return {"type": "request_failed", "status": "failed", "error": error, "category": "user"}
    return {"type": "request_failed", **failure}
