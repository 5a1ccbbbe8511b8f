"""Jobs: what was asked for, how it went, what was missed, and what was said meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models

from strongroom.server.catalog.models.host import Host
from strongroom.server.catalog.models.sets import BackupSet

if TYPE_CHECKING:
    # A structure of `model.report`, as plain data; null until it is known.
    from datetime import datetime

    JsonField = models.JSONField[dict[str, Any] | None, dict[str, Any] | None]


class Job(models.Model):
    """One request and all that became of it.

    `deadline` is when a job that waits is given up; `lease_until` is when a running job is given up unless something
    is heard of it. `instance_id` and `boot_id` are those of the agent that was handed the order. `acknowledged` says
    that this agent has spoken of the job since, so that an order lost on the way is told from a job lost in a restart.
    """

    id: models.BigAutoField[int, int] = models.BigAutoField(primary_key=True)
    type: models.CharField[str, str] = models.CharField(max_length=16)
    trigger: models.CharField[str, str] = models.CharField(max_length=16)
    kind: models.CharField[str, str] = models.CharField(max_length=16, default="")
    host: models.ForeignKey[Host, Host] = models.ForeignKey(Host, on_delete=models.PROTECT, related_name="jobs")
    host_id: str
    backup_set: models.ForeignKey[BackupSet, BackupSet] = models.ForeignKey(
        BackupSet, on_delete=models.PROTECT, related_name="jobs"
    )
    backup_set_id: int
    requested_by: models.CharField[str, str] = models.CharField(max_length=150)

    state: models.CharField[str, str] = models.CharField(max_length=32)
    reason_code: models.CharField[str, str] = models.CharField(max_length=64)
    reason_text: models.CharField[str, str] = models.CharField(max_length=2000)
    step: models.CharField[str, str] = models.CharField(max_length=32)
    requested: models.DateTimeField[datetime, datetime] = models.DateTimeField()
    started: models.DateTimeField[datetime | None, datetime | None] = models.DateTimeField(null=True)
    ended: models.DateTimeField[datetime | None, datetime | None] = models.DateTimeField(null=True)
    deadline: models.DateTimeField[datetime | None, datetime | None] = models.DateTimeField(null=True)
    lease_until: models.DateTimeField[datetime | None, datetime | None] = models.DateTimeField(null=True)
    cancel_requested: models.BooleanField[bool, bool] = models.BooleanField(default=False)
    acknowledged: models.BooleanField[bool, bool] = models.BooleanField(default=False)
    instance_id: models.CharField[str, str] = models.CharField(max_length=64, default="")
    boot_id: models.CharField[str, str] = models.CharField(max_length=64, default="")

    session: models.CharField[str, str] = models.CharField(max_length=64, default="")
    base: models.CharField[str, str] = models.CharField(max_length=32, default="")
    snapshot: models.CharField[str, str] = models.CharField(max_length=32, default="")
    source: models.CharField[str, str] = models.CharField(max_length=32, default="")
    source_areas: models.JSONField[list[dict[str, Any]] | None, list[dict[str, Any]] | None] = models.JSONField(
        null=True
    )
    source_why: models.CharField[str, str] = models.CharField(max_length=2000, default="")
    restore_request: JsonField = models.JSONField(null=True)
    progress: JsonField = models.JSONField(null=True)
    estimate: JsonField = models.JSONField(null=True)
    transfer: JsonField = models.JSONField(null=True)
    restore_result: JsonField = models.JSONField(null=True)
    missed_count: models.IntegerField[int, int] = models.IntegerField(default=0)

    class Meta:
        """Where it lies, and how it is looked for."""

        db_table = "job"
        indexes = [models.Index(fields=["host", "state"]), models.Index(fields=["backup_set", "state"])]


class JobMissedFile(models.Model):
    """One missed file of a job; `index` is its place in the agent's list, so a repeated report adds nothing."""

    id: models.BigAutoField[int, int] = models.BigAutoField(primary_key=True)
    job: models.ForeignKey[Job, Job] = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="missed")
    job_id: int
    index: models.IntegerField[int, int] = models.IntegerField()
    path: models.BinaryField[bytes, bytes] = models.BinaryField()
    reason: models.CharField[str, str] = models.CharField(max_length=32)
    detail: models.CharField[str, str] = models.CharField(max_length=500)

    class Meta:
        """Where it lies, and that each place of the list is filled once."""

        db_table = "job_missed_file"
        constraints = [models.UniqueConstraint(fields=["job", "index"], name="missed_once")]


class JobLogLine(models.Model):
    """One line of a job's log."""

    id: models.BigAutoField[int, int] = models.BigAutoField(primary_key=True)
    job: models.ForeignKey[Job, Job] = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="log")
    time: models.DateTimeField[datetime, datetime] = models.DateTimeField()
    text: models.CharField[str, str] = models.CharField(max_length=2000)

    class Meta:
        """Where it lies."""

        db_table = "job_log_line"
