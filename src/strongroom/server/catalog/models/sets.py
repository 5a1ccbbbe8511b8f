"""Backup sets: what to protect on one host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models

from strongroom.server.catalog.models.host import Host

if TYPE_CHECKING:
    from datetime import datetime


class BackupSet(models.Model):
    """What to protect on one host, and how. `content_hash` tells whether two sets of a host have the same content."""

    id: models.BigAutoField[int, int] = models.BigAutoField(primary_key=True)
    name: models.CharField[str, str] = models.CharField(max_length=100, unique=True)
    host: models.ForeignKey[Host, Host] = models.ForeignKey(Host, on_delete=models.PROTECT, related_name="sets")
    host_id: str
    content: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField()
    content_hash: models.CharField[str, str] = models.CharField(max_length=64)
    options: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField()
    created: models.DateTimeField[datetime, datetime] = models.DateTimeField()

    class Meta:
        """Where it lies, and that no host has two sets of one content."""

        db_table = "backup_set"
        constraints = [models.UniqueConstraint(fields=["host", "content_hash"], name="content_once_a_host")]
