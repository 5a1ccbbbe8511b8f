"""Steps RECOVERY_POINT and RELEASE: where a backup reads from, for as long as it reads.

Why: on the way out of the with-block a recovery point is deleted (W10), whatever happened inside; nobody can forget it.
On Linux files are read live for now, and the report says so; the job goes on without a recovery point (W8).
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from strongroom.model.steps import Step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from strongroom.agent.backup.events import Events
    from strongroom.agent.platform.base import Platform, Source


@contextlib.contextmanager
def recovery_point(machine: Platform, events: Events) -> Iterator[Source]:
    """Give the source that the backup reads from."""
    events.step(Step.RECOVERY_POINT)
    with machine.live_source() as source:
        yield source
        events.step(Step.RELEASE)  # after a failure the failed step stays the current one; released it is all the same
