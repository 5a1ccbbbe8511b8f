"""The tables, gathered: Django looks for all models of an app in this module.

Django's own table of users is named here too, for it can be imported only after the catalog.
"""

from __future__ import annotations

from django.contrib.auth.models import User

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
    "User",
    "VaultSession",
]
