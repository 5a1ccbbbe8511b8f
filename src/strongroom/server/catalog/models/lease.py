"""Leases: of several server processes, one at a time does each duty."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models

if TYPE_CHECKING:
    from datetime import datetime


class Lease(models.Model):
    """Who does a duty, and until when unless it says so again."""

    name: models.CharField[str, str] = models.CharField(primary_key=True, max_length=64)
    holder: models.CharField[str, str] = models.CharField(max_length=64)
    until: models.DateTimeField[datetime, datetime] = models.DateTimeField()

    class Meta:
        """Where it lies."""

        db_table = "lease"
