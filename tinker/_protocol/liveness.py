"""A session as the server sees it: kept alive by heartbeats, finished at the end."""

from __future__ import annotations

import asyncio
import time
import weakref
from typing import TypeAlias

from tinker import _log, types
from tinker._protocol import retry
from tinker._protocol.connection import Connection, ignore
from tinker._protocol.progress import Progress
from tinker._protocol.server_traits import REFUSALS_OF_A_ROUTE
from tinker.errors import APIError, APIStatusError
from tinker_api import models
from tinker_api.api.sessions import finish_session, session_heartbeat
from tinker_api.models.client_session_finish_reason_type import ClientSessionFinishReasonType

FinishStatus: TypeAlias = ClientSessionFinishReasonType

HEARTBEAT_INTERVAL = 10.0
HEARTBEAT_WARNING = 120.0
FINISH_TIMEOUT = 3.0


async def beat(
    session: weakref.ref[object],
    connection: Connection,
    session_id: str,
    *,
    ours: bool,
    tell_end: bool = True,
) -> None:
    """Keep a session alive while its `Session` is referenced.

    Args:
        session: Its `Session`, or that of a run that was taken up from it.
        connection: The connection to the server, closed when the `Session` is not referenced any more.
        session_id: The session.
        ours: Whether it is finished then.
        tell_end: Whether to log that the server has ended it.
    """
    progress = Progress("session_heartbeat", {"session_id": session_id})
    last_success, warned = time.monotonic(), False
    while True:
        await asyncio.sleep(HEARTBEAT_INTERVAL)
        if session() is None:
            if ours:
                await finish(connection, session_id, "success", None)
            await connection.close()
            return
        try:
            await connection.call(
                session_heartbeat.request(
                    body=models.SessionHeartbeatRequest(session_id=session_id)
                ),
                progress,
                policy=retry.NEVER,
                timeout=HEARTBEAT_INTERVAL,
                read=ignore,
            )
        except APIError as error:
            if isinstance(error, APIStatusError) and error.status_code == 410:
                if tell_end:
                    _log.SESSION_ENDED(session_id=session_id)
                return
            silent = time.monotonic() - last_success
            if silent >= HEARTBEAT_WARNING and not warned:
                warned = True
                _log.NO_HEARTBEAT(seconds=silent, error=error)
        else:
            last_success, warned = time.monotonic(), False


async def finish(
    connection: Connection, session_id: str, status: FinishStatus, detail: str | None
) -> None:
    """Tell the server that a session has ended, and how; most servers lack the route."""
    try:
        await connection.call(
            finish_session.request(
                session_id=session_id,
                body=models.FinishSessionRequest(reason=_reason(status), detail=detail),
            ),
            Progress("finish_session", {"session_id": session_id}),
            policy=retry.NEVER,
            timeout=FINISH_TIMEOUT,
            read=ignore,
            passed=REFUSALS_OF_A_ROUTE,
        )
    except APIError as error:
        _log.FINISH_FAILED(error=error)


def finish_status(exc_type: type[BaseException] | None) -> FinishStatus:
    """How work ended, by the exception that ended it or None."""
    if exc_type is None or issubclass(exc_type, SystemExit):
        return "success"
    return "interrupted" if issubclass(exc_type, KeyboardInterrupt) else "errored"


def _reason(status: FinishStatus) -> types.ClientSessionFinishReason:
    match status:
        case "success":
            return models.ClientSessionFinishSuccess()
        case "errored":
            return models.ClientSessionFinishErrored()
        case "interrupted":
            return models.ClientSessionFinishInterrupted()
