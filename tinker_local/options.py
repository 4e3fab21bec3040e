"""Times, limits and modes of the server."""

from __future__ import annotations

import time
from collections.abc import Callable

from attrs import frozen


@frozen(kw_only=True)
class Options:
    clock: Callable[[], float] = time.time
    """The clock, in seconds since 1970, for all dates and expiries."""
    poll_seconds: float = 40.0
    """Seconds for which retrieve_future holds a request; clients give up after 45."""
    gap_seconds: float = 60.0
    """Seconds to wait for a seq_id that has not arrived."""
    session_seconds: float = 300.0
    """Seconds without a heartbeat after which a session counts as cancelled; clients send one every 10."""
    keep_read_results_seconds: float = 3600.0
    """Seconds for which a result is kept after it was read."""
    keep_unread_results_seconds: float = 86400.0
    """Seconds for which an unread result is kept."""
    keep_recordings_seconds: float = 86400.0
    """Seconds for which the data of `record_stability_info` are kept after their last use."""
    keep_ephemeral_seconds: float = 3600.0
    """Seconds for which the weights of an ephemeral sampler are kept after its session."""
    keep_adapter_seconds: float = 600.0
    """Seconds for which an adapter stays in the engine's memory after its last use."""
    snapshot_seconds: float = 1.0
    """Seconds of work since the last snapshot after which an optimizer step writes a new one: about as much as a
    restart has to repeat."""
    sweep_seconds: float = 10.0
    """Seconds between deletions of expired objects."""
    url_seconds: float = 3600.0
    """Seconds for which a signed URL works."""
    jwt: bool = False
    """Tell clients to exchange their keys for JWTs."""
    jwt_seconds: float = 3600.0
    """Seconds for which a JWT works."""
    allow_hosts: tuple[str, ...] = ()
    """Host names that the server accepts, besides those of this machine; `*` allows any."""
    receive_seconds: float = 30.0
    """Seconds to wait for more of a request before the connection is closed."""
    protobuf: bool = True
    """Whether to support protobuf besides JSON; otherwise protobuf batches are rejected, and all results are JSON."""
    zstd: bool = False
    """Ask clients to compress batches in protobuf."""
    feed: bool = False
    """Tell clients to learn of finished samples from the completions feed."""
    abandoned_seconds: float = 60.0
    """Seconds after the last poll for a sample of an ended session after which it counts as abandoned."""
    max_connections: int = 4096
    """Maximum number of connections; the next one gets an error and is closed."""
    feed_seconds: float = 30.0
    """Seconds for which retrieve_futures holds a request."""
    metadata_bytes: int = 8 * 2**20
    """Size in bytes from which on a result is announced first, to clients that allow it."""
