"""Starting a job once, however often it is asked for with the same key.

Promises: the key is stored in the transaction that records the job, so neither is ever there without the other. Of
two equal calls at the same time one starts the job and both get it. The same key with another call is a `Conflict`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from django.db import IntegrityError

from strongroom.errors import Conflict
from strongroom.server.catalog import models

if TYPE_CHECKING:
    from strongroom.server.users.audit import Actor

Job: TypeAlias = models.Job
Also: TypeAlias = Callable[[models.Job], None]
"""What a verb that records a job calls in the same transaction."""


def start_once(*, key: str, call: str, by: Actor, start: Callable[[Also], Job]) -> Job:
    """Return the job that `by` has started with this key, or start it.

    Args:
        key: the caller's; an empty one starts something each time.
        call: what is asked for, in full.
        start: starts the job; calls what it is given with the job in the transaction that records it.

    Raises:
        Conflict: the key was used for another call.
    """
    if not key:
        return start(nothing_else)
    call_hash = hashlib.sha256(call.encode("utf-8", "surrogatepass")).digest()
    known = _find(key, call_hash, by)
    if known is not None:
        return known

    def remember(job: Job) -> None:
        models.StartedOnce.objects.create(who=by.name, key=key, call_hash=call_hash, job=job)

    try:
        return start(remember)
    except (Conflict, IntegrityError):
        # An equal call was faster: what it started is why ours cannot be.
        started = _find(key, call_hash, by)
        if started is None:
            raise
        return started


def nothing_else(job: Job) -> None:
    """Be the `Also` of a verb that is called for itself."""


def _find(key: str, call_hash: bytes, by: Actor) -> Job | None:
    """Return what was started with the key, if anything."""
    found = models.StartedOnce.objects.select_related("job").filter(who=by.name, key=key).first()
    if found is None:
        return None
    if bytes(found.call_hash) != call_hash:
        raise Conflict(
            "This Idempotency-Key was used for another call.", code="key_used", hint="Make a new key for each call."
        )
    return found.job
