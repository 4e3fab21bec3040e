"""The official SDK's name for what the clients of one `ServiceClient` share."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tinker._protocol.session import Session


class HasHolder:
    """A client with a `session`."""

    session: Session
    """The connection and the session, shared with other clients."""

    @property
    def holder(self) -> Session:
        """The same as `session`."""
        return self.session
