"""Which kind a backup is (W5). Pure."""

from __future__ import annotations

from strongroom.model.job import Kind


def choose_kind(*, newest_snapshot: str) -> Kind:
    """Return FULL for the first backup of a set, whoever starts it, and INCREMENTAL for every later one.

    A set's first backup is the first that leaves a snapshot: one that failed or was aborted before is no base.
    """
    return Kind.INCREMENTAL if newest_snapshot else Kind.FULL
