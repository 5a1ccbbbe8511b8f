"""Times as people and programs read them: ISO 8601 in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_BEGIN = datetime(1970, 1, 1, tzinfo=UTC)


def iso(moment: datetime | None) -> str | None:
    """Return a moment to the millisecond, for example `2026-01-31T12:00:00.000Z`; nothing stays nothing."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def iso_ns(nanoseconds: int) -> str | None:
    """Return a file's time; nothing when it lies outside of what a calendar holds."""
    try:
        return iso(_BEGIN + timedelta(microseconds=nanoseconds // 1000))
    except OverflowError:
        return None
