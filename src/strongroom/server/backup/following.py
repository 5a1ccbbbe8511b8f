"""Waiting for a job's end: whoever follows a job learns of it at once, and need not ask several times a second.

Why: an answer costs the server 6 ms, and following a restore of five seconds took thirty of them (ADR 65).
Promises: nobody waits in vain for a job that has ended. At most `FOLLOWERS` threads wait; who comes when all places are
taken is answered at once, and asks again.
"""

from __future__ import annotations

import threading
from typing import Final

from django.db import connection

FOLLOWERS: Final = 4
"""Half of the threads in which people are answered."""

_OPEN: Final = "SELECT 1 FROM job WHERE id = %s AND ended IS NULL"
_places: Final = threading.BoundedSemaphore(FOLLOWERS)
_lock: Final = threading.Lock()
_ends: Final[list[tuple[int, threading.Event]]] = []


def wait_for_end(job_id: int, timeout_s: float) -> None:
    """Return when the job has ended, or time is up, or at once if too many are waiting already."""
    if timeout_s <= 0 or not _places.acquire(blocking=False):
        return
    ended = (job_id, threading.Event())
    try:
        with _lock:
            _ends.append(ended)
        # Asked only now: an end before this is seen here, and one after it is told.
        if _is_open(job_id):
            ended[1].wait(timeout_s)
    finally:
        with _lock:
            _ends.remove(ended)
        _places.release()


def tell_of_end(job_id: int) -> None:
    """Wake those who wait for this job, whose end is committed."""
    with _lock:
        for one, event in _ends:
            if one == job_id:
                event.set()


def _is_open(job_id: int) -> bool:
    """Tell whether there is such a job and it has not ended, by one plain question."""
    with connection.cursor() as cursor:
        cursor.execute(_OPEN, [job_id])
        return cursor.fetchone() is not None
