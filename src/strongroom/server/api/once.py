"""Idempotency-Key: a call that starts something, said twice with the same key, starts it once.

Why: a caller whose connection broke cannot know whether its call was heard. It says it again and gets the same job.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from django.http import HttpResponse
from ninja import Header

from strongroom.server import views
from strongroom.server.backup.once import Also, Job, start_once
from strongroom.server.users.audit import Actor

Key = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        max_length=255,
        description="Any text of your own. The same call with the same key again returns the same job.",
    ),
]


def started(
    response: HttpResponse,
    *,
    key: str,
    call: str,
    by: Actor,
    start: Callable[[Also], Job],
) -> dict[str, Any]:
    """Start a job, or find the one that this key has started, and return it; the reply says where it is.

    Args:
        call: what is asked for, in full; the same key with another call is a conflict.
    """
    job = start_once(key=key, call=call, by=by, start=start)
    response.headers["Location"] = f"/api/v1/jobs/{job.id}"
    return views.job(job.id)
