"""`RetryConfig`: how persistently a sampling client retries."""

from __future__ import annotations

import random
from dataclasses import dataclass

from tinker.errors import APIConnectionError


@dataclass(unsafe_hash=True)
class RetryConfig:
    """How persistently a sampling client retries samples. Failed requests are retried separately; see docs/errors.md."""

    max_connections: int | None = 1000
    """Maximum number of samples of the client in flight; None means no limit. Others wait in the order of their calls."""
    progress_timeout: float = 7200.0
    """Seconds without a finished sample of the client after which the samples in flight fail."""
    retry_delay_base: float = 0.5
    """Seconds before a sample is requested again; doubles each time."""
    retry_delay_max: float = 10.0
    """The longest such pause, in seconds."""
    jitter_factor: float = 0.25
    """Random variation of a pause, as a fraction of it."""
    enable_retry_logic: bool = True
    """Request samples again that the server has lost (410), or that failed with `retryable_exceptions`."""
    enable_stuck_detection: bool = True
    """Whether `progress_timeout` applies."""
    retryable_exceptions: tuple[type[Exception], ...] = (APIConnectionError,)
    """Exceptions after which to request a sample again, besides 410."""

    def __post_init__(self) -> None:
        if self.max_connections is not None and self.max_connections < 1:
            raise ValueError(
                f"max_connections is {self.max_connections!r}; it must be 1 or more, or None."
            )

    def pause(self, asked: int) -> float:
        """Seconds to wait after so many requests."""
        doubled = min(self.retry_delay_base * 2.0 ** min(asked - 1, 30), self.retry_delay_max)
        jitter = random.uniform(-self.jitter_factor, self.jitter_factor)  # noqa: S311
        return min(doubled * (1 + jitter), self.retry_delay_max)
