"""Finding a job or a snapshot by what a person calls it."""

from __future__ import annotations

import re
from typing import Final

from strongroom.errors import Mistake, NotFound
from strongroom.server.catalog import models

_SNAPSHOT = re.compile("[0-9a-f]{6,32}")
_WHOLE: Final = 32


def require_job(job_id: int) -> models.Job:
    """Return the job of this number, as this transaction sees it.

    Raises:
        NotFound: there is none.
    """
    job = models.Job.objects.select_for_update().filter(id=job_id).first()
    if job is None:
        raise NotFound(f"There is no job {job_id}.", code="no_such_job", hint="List them with: strongroom job list")
    return job


def require_snapshot(reference: str) -> models.Snapshot:
    """Return the snapshot with this id, or the only one whose id begins so.

    Raises:
        Mistake: it is not an id, or several begin so.
        NotFound: there is none.
    """
    reference = reference.strip().lower()
    if not _SNAPSHOT.fullmatch(reference):
        raise Mistake(
            f"{reference!r} is not a snapshot's id.",
            code="bad_snapshot_id",
            hint="Give at least its first 6 digits; list them with: strongroom snapshot list SET",
        )
    found = list(models.Snapshot.objects.defer("bitmap").filter(id__startswith=reference)[:2])
    if not found:
        raise NotFound(f"There is no snapshot {reference}.", code="no_such_snapshot")
    if len(found) > 1:
        raise Mistake(f"Several snapshots begin with {reference}.", code="ambiguous", hint="Give more digits.")
    return found[0]
