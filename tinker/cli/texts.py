"""Formats values for people."""

from __future__ import annotations

from datetime import UTC, datetime


def size(count: int | None) -> str:
    """Bytes, as `151.8 KB`."""
    if count is None:
        return "unknown"
    if count < 1024:
        return f"{count} B"
    value = count / 1024
    for unit in ("KB", "MB", "GB"):
        if value < 1024:
            return f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TB"


def ago(time: datetime | None, now: datetime | None = None) -> str:
    """A time in the past, as `5 minutes ago`, or to come, as `in 2 days`."""
    if time is None:
        return "never"
    seconds = ((now or datetime.now(UTC)) - time).total_seconds()
    if abs(seconds) < 60:
        return "just now" if seconds >= 0 else "in less than a minute"
    units = (("day", 86400), ("hour", 3600), ("minute", 60))
    name, length = next(unit for unit in units if abs(seconds) >= unit[1])
    text = count(int(abs(seconds) // length), name)
    return f"{text} ago" if seconds > 0 else f"in {text}"


def duration(seconds: float) -> str:
    """As `1:02:03` or `2:03`."""
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    if hours:
        return f"{hours}:{minutes:02}:{whole % 60:02}"
    return f"{minutes}:{whole % 60:02}"


def yes(value: bool | None) -> str:
    """Whether it is so; nothing where that is unknown."""
    return "" if value is None else "Yes" if value else "No"


def optional(value: object) -> str:
    return "" if value is None else str(value)


def count(number: int, noun: str) -> str:
    """As `1 row` or `1,200 rows`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def money(dollars: float) -> str:
    return f"about ${dollars:,.2f}" if dollars >= 0.01 else "less than $0.01"


def printable(text: str) -> str:
    """A model's text without control characters, which a terminal would execute."""
    return "".join(
        c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text
    )
