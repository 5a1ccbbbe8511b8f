"""Hosts, with their presence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import Count

from strongroom.server.catalog import models
from strongroom.server.hosts import presence
from strongroom.server.hosts.find import require_host
from strongroom.server.times import iso
from strongroom.server.views.of_sets import backup_sets

if TYPE_CHECKING:
    from strongroom.server.views.shape import View


def hosts() -> list[View]:
    """Return all hosts by name."""
    counts = dict(models.BackupSet.objects.values_list("host_id").annotate(Count("id")))
    return [_host(row, counts.get(row.id, 0)) for row in models.Host.objects.order_by("name")]


def host(reference: str) -> View:
    """Return one host, with its sets.

    Raises:
        NotFound: there is none of this name or id.
    """
    row = require_host(reference)
    sets = backup_sets(host=row.id)
    return {**_host(row, len(sets)), "sets": sets}


def _host(row: models.Host, set_count: int) -> View:
    """Return a host as plain data."""
    connected = presence.is_running(row.id)
    return {
        "id": row.id,
        "name": row.name,
        "os_family": row.os_family,
        "os_version": row.os_version,
        "agent_version": row.agent_version,
        "time_zone": row.time_zone,
        "connected": connected,
        "last_seen": iso(row.last_seen),
        "activated": iso(row.activated),
        "revoked": iso(row.revoked),
        "set_count": set_count,
    }
