"""Times on the wire: RFC 3339 for people and programs, seconds of the clock inside."""

from __future__ import annotations

from datetime import UTC, datetime

from tinker_local.errors import Refusal


def timestamp(seconds: float) -> str:
    """Seconds of the clock as RFC 3339, always with microseconds, so that texts sort as times do."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def moment(name: str, text: str) -> datetime:
    """The time that a parameter or member names; 400 for one that no clock shows, such as a leap second."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Refusal(400, f"{name} is not a time that can be reckoned with: {text}") from None
