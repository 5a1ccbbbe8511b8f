"""What a job counted: estimate, transfer, restore result and the final report. All in raw units."""

from __future__ import annotations

import msgspec

from strongroom.model.job import JobState, ReasonCode, SourceKind

HISTOGRAM_LIMITS_BYTES = (0, 4 << 10, 64 << 10, 1 << 20, 16 << 20, 256 << 20, 4 << 30)
"""Upper limits (inclusive) of the size histogram's classes; one more class holds all that is larger."""


class Estimate(msgspec.Struct, frozen=True):
    """The forecast before transmission (W7).

    Args:
        duration_s: time that scan and comparison took.
        files_scanned: everything found that is not a folder.
        folders_scanned: folders found.
        files_added, files_changed, files_removed: against the last snapshot's listing.
        source_bytes: size of all files found.
        changed_bytes: size of the added and changed files: what will be read.
        histogram: number of files per size class, see `HISTOGRAM_LIMITS_BYTES`.
    """

    duration_s: float = 0.0
    files_scanned: int = 0
    folders_scanned: int = 0
    files_added: int = 0
    files_changed: int = 0
    files_removed: int = 0
    source_bytes: int = 0
    changed_bytes: int = 0
    histogram: tuple[int, ...] = (0,) * (len(HISTOGRAM_LIMITS_BYTES) + 1)


class Transfer(msgspec.Struct, frozen=True):
    """What moved.

    Args:
        duration_s: without the estimate and waits for the network to come back.
        files_read: files that were opened.
        bytes_read: read from the source (backup) or received content (restore).
        bytes_new: bytes of chunks that the server did not have of this set, before compression.
        bytes_sent: sent (backup) or received (restore) after deduplication and compression.
        retries, retry_s: network retries and the time they took.
    """

    duration_s: float = 0.0
    files_read: int = 0
    bytes_read: int = 0
    bytes_new: int = 0
    bytes_sent: int = 0
    retries: int = 0
    retry_s: float = 0.0


class RestoreResult(msgspec.Struct, frozen=True):
    """What a restore did.

    Args:
        files_total, bytes_total: what the plan asked for.
        files_restored, bytes_restored: what was written.
        files_unchanged: already right in the target; not written again.
        files_skipped: left alone because of the conflict mode.
        files_failed: listed with their reasons.
    """

    files_total: int = 0
    bytes_total: int = 0
    files_restored: int = 0
    bytes_restored: int = 0
    files_unchanged: int = 0
    files_skipped: int = 0
    files_failed: int = 0


MOST_AREAS = 100
"""So many areas of a job are kept by name."""


class SourceArea(msgspec.Struct, frozen=True):
    """A part of what a backup read: an include path, or what is mounted beneath one.

    Args:
        path: escaped text.
        kind: recovery point or live.
        how: what froze it: `btrfs`, `zfs`, `lvm`; empty if it was read live.
        why: why it was read live.
    """

    path: str
    kind: SourceKind
    how: str = ""
    why: str = ""


class Progress(msgspec.Struct, frozen=True):
    """A live picture of a running job.

    Args:
        step: the value of a `Step` or `RestoreStep`.
        files, bytes: handled so far in this step.
        rate_bytes_s: over the last few seconds.
        current: the path at work, escaped text; may be empty.
    """

    step: str
    files: int = 0
    bytes: int = 0
    rate_bytes_s: float = 0.0
    current: str = ""


class JobReport(msgspec.Struct, frozen=True):
    """How a job ended, as the agent says it.

    Args:
        state: a closed state.
        reason: code of the reason.
        text: a sentence with the particulars; the reason's own sentence when empty.
        step: where it ended; the failed step when it failed.
        source, source_why: what files were read from, and why (backup).
        areas: the same for each part of it, at most `MOST_AREAS`.
        estimate, transfer, restore: the counts.
        missed_count: length of the list of missed files.
        notes: further lines for the job's log.
    """

    state: JobState
    reason: ReasonCode
    step: str
    text: str = ""
    source: SourceKind | None = None
    source_why: str = ""
    areas: tuple[SourceArea, ...] = ()
    estimate: Estimate | None = None
    transfer: Transfer | None = None
    restore: RestoreResult | None = None
    missed_count: int = 0
    notes: tuple[str, ...] = ()
