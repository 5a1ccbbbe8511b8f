"""The vault's facts: packs, sessions, snapshots with their bitmaps, and the ordinal that is next.

The contract they serve stands in `strongroom.engine.vault.ledger`. Sets and jobs are plain numbers here: a snapshot
outlives what made it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models

if TYPE_CHECKING:
    from datetime import datetime


class Pack(models.Model):
    """A durable pack; its chunks have the ordinals [first_ordinal, first_ordinal + chunks)."""

    name: models.BinaryField[bytes, bytes] = models.BinaryField(primary_key=True, max_length=32)
    kind: models.SmallIntegerField[int, int] = models.SmallIntegerField()
    chunks: models.BigIntegerField[int, int] = models.BigIntegerField()
    size_bytes: models.BigIntegerField[int, int] = models.BigIntegerField()
    first_ordinal: models.BigIntegerField[int, int] = models.BigIntegerField(unique=True)
    state: models.CharField[str, str] = models.CharField(max_length=16)
    session: models.CharField[str, str] = models.CharField(max_length=64, db_index=True)

    class Meta:
        """Where it lies."""

        db_table = "pack"


class NextOrdinal(models.Model):
    """One row: the first ordinal that was never handed out. It only grows."""

    id: models.SmallIntegerField[int, int] = models.SmallIntegerField(primary_key=True)
    value: models.BigIntegerField[int, int] = models.BigIntegerField()

    class Meta:
        """Where it lies."""

        db_table = "next_ordinal"


class VaultSession(models.Model):
    """One job's right to write into the vault. `reach` is a bitmap of ordinals."""

    id: models.CharField[str, str] = models.CharField(primary_key=True, max_length=64)
    set_id: models.BigIntegerField[int, int] = models.BigIntegerField()
    job_id: models.BigIntegerField[int, int] = models.BigIntegerField()
    base: models.CharField[str, str] = models.CharField(max_length=32)
    state: models.CharField[str, str] = models.CharField(max_length=16, db_index=True)
    opened: models.DateTimeField[datetime, datetime] = models.DateTimeField()
    ended: models.DateTimeField[datetime | None, datetime | None] = models.DateTimeField(null=True)
    snapshot: models.CharField[str, str] = models.CharField(max_length=32, default="")
    reach: models.BinaryField[bytes, bytes] = models.BinaryField()

    class Meta:
        """Where it lies, and how it is looked for."""

        db_table = "vault_session"
        indexes = [models.Index(fields=["set_id", "state", "opened"])]


class Snapshot(models.Model):
    """A sealed snapshot. The bitmap comes last: what lists snapshots does not read it."""

    id: models.CharField[str, str] = models.CharField(primary_key=True, max_length=32)
    number: models.BigIntegerField[int, int] = models.BigIntegerField(unique=True)
    set_id: models.BigIntegerField[int, int] = models.BigIntegerField()
    job_id: models.BigIntegerField[int, int] = models.BigIntegerField()
    time: models.DateTimeField[datetime, datetime] = models.DateTimeField()
    kind: models.CharField[str, str] = models.CharField(max_length=16)
    base: models.CharField[str, str] = models.CharField(max_length=32)
    root: models.BinaryField[bytes, bytes] = models.BinaryField(max_length=32)
    files: models.BigIntegerField[int, int] = models.BigIntegerField()
    size_bytes: models.BigIntegerField[int, int] = models.BigIntegerField()
    new_bytes: models.BigIntegerField[int, int] = models.BigIntegerField()
    missed: models.BigIntegerField[int, int] = models.BigIntegerField()
    bitmap: models.BinaryField[bytes, bytes] = models.BinaryField()

    class Meta:
        """Where it lies, and how it is looked for."""

        db_table = "snapshot"
        indexes = [models.Index(fields=["set_id", "number"])]
