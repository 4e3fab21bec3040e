"""Times: RFC 3339 outside, seconds since 1970 inside."""

from __future__ import annotations

from datetime import UTC, datetime

from tinker_local.errors import Refusal


def timestamp(seconds: float) -> str:
    """Seconds since 1970 as RFC 3339, always with microseconds, so that strings sort like times."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def moment(name: str, text: str) -> datetime:
    """Parse the time in a parameter or field; raises 400 for an invalid one, such as a leap second."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Refusal(400, f"{name} is not a valid time: {text}") from None
