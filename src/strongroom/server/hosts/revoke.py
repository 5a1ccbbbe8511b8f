"""Shutting a host out: one row, which works at its next request. Nothing that it stored is deleted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial

from django.db import transaction

from strongroom.server.catalog import models
from strongroom.server.hosts import presence
from strongroom.server.users.audit import Actor, record

AbortJobs = Callable[[models.Host, datetime], object]
"""Closes all open jobs of a revoked host, inside the transaction: `backup.abort.abort_jobs_of_host`."""


def revoke_host(*, host: models.Host, by: Actor, now: datetime, abort_jobs: AbortJobs) -> models.Host:
    """Mark the host revoked and close its open jobs; a second time changes nothing."""
    with transaction.atomic():
        row = models.Host.objects.get(id=host.id)
        if row.revoked is None:
            row.revoked = now
            row.save(update_fields=["revoked"])
            abort_jobs(row, now)
            record("host.revoke", f"host {row.name}", by=by, now=now, id=row.id)
        transaction.on_commit(partial(presence.shut_out, row.id))
    return row
