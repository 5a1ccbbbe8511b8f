"""What callers have started by a key of their own, so that saying it twice starts it once."""

from __future__ import annotations

from django.db import models

from strongroom.server.catalog.models.job import Job


class StartedOnce(models.Model):
    """One key of one user, what it was used for, and the job that it started. It lives as long as the job."""

    id: models.BigAutoField[int, int] = models.BigAutoField(primary_key=True)
    who: models.CharField[str, str] = models.CharField(max_length=150)
    key: models.CharField[str, str] = models.CharField(max_length=255)
    call_hash: models.BinaryField[bytes, bytes] = models.BinaryField(max_length=32)
    job: models.ForeignKey[Job, Job] = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="keys")

    class Meta:
        """Where it lies, and that a key starts one thing."""

        db_table = "started_once"
        constraints = [models.UniqueConstraint(fields=["who", "key"], name="started_once_a_key")]
