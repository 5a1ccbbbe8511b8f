"""The one clock: the only module that reads the wall clock.

Why: time that comes from one place can be frozen in tests and is always aware of its zone.
Promises: `now()` is an aware UTC datetime; `monotonic_s()` never goes back.
Does not: format or parse times.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime


def now() -> datetime:
    """Return the present moment in UTC."""
    return datetime.now(UTC)


def now_ns() -> int:
    """Return the wall clock in nanoseconds since 1970."""
    return time.time_ns()


def monotonic_s() -> float:
    """Return seconds from an arbitrary start; only differences mean something."""
    return time.monotonic()


def wait_s(seconds: float) -> None:
    """Sleep for `seconds`."""
    time.sleep(seconds)
