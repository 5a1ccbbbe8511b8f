"""Hosts and what lets them in: activation tokens, and the nonces of assertions that were used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models

if TYPE_CHECKING:
    from datetime import datetime


class Host(models.Model):
    """A protected machine, known by the public key that its agent made.

    `instance_id` and `boot_id` are those of the agent that was last connected; they tell a restart from a lost
    connection. A revoked host keeps its row and its snapshots.
    """

    id: models.CharField[str, str] = models.CharField(primary_key=True, max_length=32)
    name: models.CharField[str, str] = models.CharField(max_length=255, unique=True)
    public_key: models.BinaryField[bytes, bytes] = models.BinaryField(max_length=32, unique=True)
    os_family: models.CharField[str, str] = models.CharField(max_length=16)
    os_version: models.CharField[str, str] = models.CharField(max_length=255)
    agent_version: models.CharField[str, str] = models.CharField(max_length=64)
    time_zone: models.CharField[str, str] = models.CharField(max_length=64)
    boot_id: models.CharField[str, str] = models.CharField(max_length=64)
    instance_id: models.CharField[str, str] = models.CharField(max_length=64)
    activated: models.DateTimeField[datetime, datetime] = models.DateTimeField()
    last_seen: models.DateTimeField[datetime | None, datetime | None] = models.DateTimeField(null=True)
    revoked: models.DateTimeField[datetime | None, datetime | None] = models.DateTimeField(null=True)

    class Meta:
        """Where it lies."""

        db_table = "host"


class ActivationToken(models.Model):
    """A right to register hosts: any number when `uses_left` is null. Only the hash of its secret is kept."""

    id: models.BigAutoField[int, int] = models.BigAutoField(primary_key=True)
    secret_hash: models.BinaryField[bytes, bytes] = models.BinaryField(max_length=32, unique=True)
    uses_left: models.IntegerField[int | None, int | None] = models.IntegerField(null=True)
    expires: models.DateTimeField[datetime, datetime] = models.DateTimeField()
    created: models.DateTimeField[datetime, datetime] = models.DateTimeField()
    created_by: models.CharField[str, str] = models.CharField(max_length=150)

    class Meta:
        """Where it lies."""

        db_table = "activation_token"


class UsedNonce(models.Model):
    """An assertion that was accepted; kept for as long as its time would let it be accepted again."""

    id: models.BigAutoField[int, int] = models.BigAutoField(primary_key=True)
    nonce: models.BinaryField[bytes, bytes] = models.BinaryField(max_length=64)
    host: models.ForeignKey[Host, Host] = models.ForeignKey(Host, on_delete=models.CASCADE)
    expires: models.DateTimeField[datetime, datetime] = models.DateTimeField(db_index=True)

    class Meta:
        """Where it lies."""

        db_table = "used_nonce"
        constraints = [models.UniqueConstraint(fields=["host", "nonce"], name="nonce_once")]
