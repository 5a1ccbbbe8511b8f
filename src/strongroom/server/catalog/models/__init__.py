"""The tables, gathered: Django looks for all models of an app in this module."""

from __future__ import annotations

from strongroom.server.catalog.models.host import ActivationToken, Host, UsedNonce
from strongroom.server.catalog.models.job import Job, JobLogLine, JobMissedFile
from strongroom.server.catalog.models.lease import Lease
from strongroom.server.catalog.models.once import StartedOnce
from strongroom.server.catalog.models.people import ApiToken, AuditRecord
from strongroom.server.catalog.models.sets import BackupSet
from strongroom.server.catalog.models.vault import NextOrdinal, Pack, Snapshot, VaultSession

__all__ = [
    "ActivationToken",
    "ApiToken",
    "AuditRecord",
    "BackupSet",
    "Host",
    "Job",
    "JobLogLine",
    "JobMissedFile",
    "Lease",
    "NextOrdinal",
    "Pack",
    "Snapshot",
    "StartedOnce",
    "UsedNonce",
    "VaultSession",
]
