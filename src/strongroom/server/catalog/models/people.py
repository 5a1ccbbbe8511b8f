"""People and programs that use the server: their API tokens, and the record of what they did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.auth.models import User
from django.db import models

if TYPE_CHECKING:
    from datetime import datetime


class ApiToken(models.Model):
    """A user's right to call the API without a password. Only the hash of its secret is kept."""

    id: models.BigAutoField[int, int] = models.BigAutoField(primary_key=True)
    user: models.ForeignKey[User, User] = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    name: models.CharField[str, str] = models.CharField(max_length=100)
    secret_hash: models.BinaryField[bytes, bytes] = models.BinaryField(max_length=32, unique=True)
    created: models.DateTimeField[datetime, datetime] = models.DateTimeField()
    expires: models.DateTimeField[datetime | None, datetime | None] = models.DateTimeField(null=True)
    last_used: models.DateTimeField[datetime | None, datetime | None] = models.DateTimeField(null=True)

    class Meta:
        """Where it lies."""

        db_table = "api_token"


class AuditRecord(models.Model):
    """Who did what, to what, from where. Rows are added and never changed."""

    id: models.BigAutoField[int, int] = models.BigAutoField(primary_key=True)
    time: models.DateTimeField[datetime, datetime] = models.DateTimeField(db_index=True)
    who: models.CharField[str, str] = models.CharField(max_length=150)
    address: models.CharField[str, str] = models.CharField(max_length=64)
    action: models.CharField[str, str] = models.CharField(max_length=64)
    what: models.CharField[str, str] = models.CharField(max_length=255)
    details: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField()

    class Meta:
        """Where it lies."""

        db_table = "audit_record"
