"""What a restore does where something is there already: the conflict modes as one pure function."""

from __future__ import annotations

import enum
import stat
from typing import TYPE_CHECKING

from strongroom.model.policy import ConflictMode

if TYPE_CHECKING:
    import os

    from strongroom.model.entry import Entry


class Verdict(enum.Enum):
    """What is to be done with one entry that is no folder."""

    NEW = enum.auto()  # nothing is there
    REPLACE = enum.auto()  # what is there is replaced in one step
    ASIDE = enum.auto()  # what is there is moved aside
    SKIP = enum.auto()  # what is there stays


def judge(mode: ConflictMode, existing: os.stat_result | None, entry: Entry) -> Verdict:
    """Decide by the conflict mode.

    A folder in the way of something else is replaced only when it is empty; whoever replaces finds that out.
    """
    if existing is None:
        return Verdict.NEW
    if mode is ConflictMode.SKIP:
        return Verdict.SKIP
    if mode is ConflictMode.KEEP_BOTH:
        return Verdict.ASIDE
    if mode is ConflictMode.OVERWRITE_OLDER and existing.st_mtime_ns >= entry.stat.mtime_ns:
        return Verdict.SKIP
    return Verdict.REPLACE


def judge_in_way(mode: ConflictMode, existing: os.stat_result) -> Verdict:
    """Decide over something that has the name of a folder and is none.

    A symbolic link is never replaced here: whoever put it there wanted the folder to be elsewhere; we do not go there.
    `overwrite-older` cannot compare a file's age with a folder's, so the file stays.
    """
    if stat.S_ISLNK(existing.st_mode):
        return Verdict.SKIP
    if mode is ConflictMode.OVERWRITE:
        return Verdict.REPLACE
    return Verdict.ASIDE if mode is ConflictMode.KEEP_BOTH else Verdict.SKIP


def is_same_file(existing: os.stat_result, entry: Entry, *, at_any_time: bool) -> bool:
    """Whether size, type and, unless at any time, time make it worth to compare the content of what is there."""
    return (
        stat.S_ISREG(existing.st_mode)
        and existing.st_size == entry.stat.size
        and (at_any_time or existing.st_mtime_ns == entry.stat.mtime_ns)
        and existing.st_nlink == 1
        and entry.stat.nlink == 1
        and entry.extents is None
    )
