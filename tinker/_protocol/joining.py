"""Sessions that another process has opened: of clones of its sampling clients, in this process."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping

from tinker._http import config as configuration
from tinker._protocol.session import Session, open_sessions

_joining = threading.Lock()


class JoinedSession(Session):
    """A session that another process has opened and will finish; this process only keeps it alive."""

    _is_ours = False

    def __init__(
        self, session_id: str, settings: configuration.Settings, headers: Mapping[str, str]
    ) -> None:
        super().__init__(settings, headers=headers)
        self._id = session_id

    @property
    def known_id(self) -> str:
        return self._id

    async def _open(self) -> str:
        await self.ready()
        self._keep_alive(self._id)
        return self._id


def join(
    session_id: str,
    base_url: str,
    api_key: str | None,
    headers: Mapping[str, str],
) -> Session:
    """This process's `Session` of an open session: an existing one or a new one.

    Args:
        session_id: Id of the session.
        base_url: URL of its server.
        api_key: The credential; None uses that of the existing `Session`, or of this process.
        headers: Headers for every request of a new `Session`.

    Raises:
        TinkerError: No credential was found.
    """
    with _joining:
        for session in open_sessions():
            settings = session.settings
            if (session.known_id, settings.base_url) == (session_id, base_url) and (
                api_key in (None, settings.api_key)
            ):
                return session
        joined = JoinedSession(session_id, configuration.resolve(base_url, api_key), headers)
        joined.check_open()
        return joined


def _unlock_after_fork() -> None:
    """In a forked process: a thread of the parent may have held the lock."""
    global _joining  # noqa: PLW0603
    _joining = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_unlock_after_fork)
