"""The server's duties by the clock: silent jobs, waiting jobs whose window ended, console sessions that ran out.

One thread runs them, under a lease row. A duty that fails is logged and tried again at the next round.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.contrib.sessions.backends.db import SessionStore
from django.db import Error

from strongroom import clock
from strongroom.errors import StrongroomError
from strongroom.server.backup.abort import abort_lost_jobs
from strongroom.server.backup.waiting import close_waiting_jobs
from strongroom.server.catalog.connection import catalog_thread
from strongroom.server.schedule.lease import drop_lease, take_lease

if TYPE_CHECKING:
    import threading
    from datetime import datetime

PERIOD_S: Final = 2.0
_LEASE = timedelta(seconds=30)
_RENEWED_EVERY_S: Final = 10.0
_CLEARED_EVERY_S: Final = 3600.0
_NAME: Final = "duties"

_log = logging.getLogger(__name__)


def run_duties(*, stop: threading.Event, holder: str, period_s: float = PERIOD_S) -> None:
    """Do the duties every few seconds until `stop` is set. Blocks; give it a thread of its own.

    Args:
        holder: names this process in the lease.
    """
    renew_at = clear_at = 0.0
    trouble = ""
    with catalog_thread():
        while not stop.wait(period_s):
            try:
                if clock.monotonic_s() >= renew_at:
                    if not take_lease(name=_NAME, holder=holder, length=_LEASE, now=clock.now()):
                        continue
                    renew_at = clock.monotonic_s() + _RENEWED_EVERY_S
                round_of_duties(now=clock.now(), monotonic_s=clock.monotonic_s())
                if clock.monotonic_s() >= clear_at:
                    SessionStore.clear_expired()
                    clear_at = clock.monotonic_s() + _CLEARED_EVERY_S
                trouble = ""
            except (StrongroomError, Error, OSError) as error:
                trouble = _note(error, trouble)
        with suppress(Error):  # it runs out by itself
            drop_lease(name=_NAME, holder=holder)


def _note(error: Exception, before: str) -> str:
    """Log a failure once, however often it comes again: a full disk is not to be filled with its own complaints."""
    if str(error) != before:
        _log.error("A duty failed, and is tried again until it works: %s", error)
    return str(error)


def round_of_duties(*, now: datetime, monotonic_s: float) -> None:
    """Do each duty once.

    Args:
        monotonic_s: the same moment by the clock that nobody sets.
    """
    for job in abort_lost_jobs(now=now, monotonic_s=monotonic_s):
        _log.warning("Job %s was given up: %s", job.id, job.reason_text)
    for job in close_waiting_jobs(now=now):
        _log.info("Job %s was closed: %s", job.id, job.reason_text)
