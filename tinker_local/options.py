"""How the server behaves in time. The defaults are what users should see."""

from __future__ import annotations

import time
from collections.abc import Callable

from attrs import frozen


@frozen(kw_only=True)
class Options:
    clock: Callable[[], float] = time.time
    """Seconds since 1970, by which everything is dated and expires."""
    poll_seconds: float = 40.0
    """How long retrieve_future holds a request; clients give up at 45."""
    gap_seconds: float = 60.0
    """How long a seq_id that has not arrived is waited for."""
    session_seconds: float = 300.0
    """After how long without a heartbeat a session counts as cancelled; clients send one every 10."""
    keep_read_results_seconds: float = 3600.0
    """How long a result can be asked for again after it was read."""
    keep_unread_results_seconds: float = 86400.0
    """How long a result waits to be read."""
    keep_recordings_seconds: float = 86400.0
    """How long what `record_stability_info` has recorded outlives its last use."""
    keep_ephemeral_seconds: float = 3600.0
    """How long the weights of an ephemeral sampler outlive its session."""
    keep_adapter_seconds: float = 600.0
    """How long an adapter stays in the engine's memory after it was last used."""
    snapshot_seconds: float = 1.0
    """After how much work since the last one an optimizer step is followed by a snapshot of the adapter: about
    as much as a restart has to do again."""
    sweep_seconds: float = 10.0
    """How often what is past its time is deleted."""
    url_seconds: float = 3600.0
    """How long a signed URL works."""
    jwt: bool = False
    """Tell clients to exchange their keys for JWTs."""
    jwt_seconds: float = 3600.0
    """How long a JWT works."""
    allow_hosts: tuple[str, ...] = ()
    """Names under which clients reach the server, besides those of this machine; `*` allows any."""
    receive_seconds: float = 30.0
    """How long the server waits for more of a request before it closes the connection."""
    protobuf: bool = True
    """Speak protobuf beside JSON; without it, batches in it are refused and all results are JSON."""
    zstd: bool = False
    """Ask clients to compress batches in protobuf."""
    feed: bool = False
    """Tell clients to learn of finished samples from the completions feed."""
    abandoned_seconds: float = 60.0
    """How long after the last poll a sample of a session that is over counts as abandoned."""
    max_connections: int = 4096
    """Connections at one time; one more is told so, and closed."""
    feed_seconds: float = 30.0
    """How long retrieve_futures holds a request."""
    metadata_bytes: int = 8 * 2**20
    """From which size on a result is announced first to clients that allow it."""
