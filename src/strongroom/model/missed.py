"""Missed files: one path that was not backed up (or restored), and why. A value, not an exception."""

from __future__ import annotations

import enum

import msgspec


class Reason(enum.StrEnum):
    """Why a file is on the list of missed files."""

    LOCKED = "locked"
    ACCESS_DENIED = "access_denied"
    READ_ERROR = "read_error"
    VANISHED = "vanished"
    CHANGED_WHILE_READ = "changed_while_read"  # what was read is kept in the snapshot all the same
    NAME_NOT_UTF8 = "name_not_utf8"
    NOT_FOUND = "not_found"  # an include folder that is not there
    UNSUPPORTED = "unsupported"  # a thing that cannot be stored or restored here
    WRITE_ERROR = "write_error"  # restore: the target could not be written
    METADATA = "metadata"  # restore: content is right, some attribute could not be set
    OUTSIDE_TARGET = "outside_target"  # restore: the path would leave the target folder


SENTENCES: dict[Reason, str] = {
    Reason.LOCKED: "another process holds a lock on it",
    Reason.ACCESS_DENIED: "access denied",
    Reason.READ_ERROR: "could not be read",
    Reason.VANISHED: "disappeared during the backup",
    Reason.CHANGED_WHILE_READ: "kept changing while it was read; what was read is in the snapshot",
    Reason.NAME_NOT_UTF8: "its name is not valid UTF-8",
    Reason.NOT_FOUND: "does not exist on the host",
    Reason.UNSUPPORTED: "cannot be stored or restored here",
    Reason.WRITE_ERROR: "could not be written",
    Reason.METADATA: "content is right, but some of its attributes could not be set",
    Reason.OUTSIDE_TARGET: "would be written outside the target folder",
}


class MissedFile(msgspec.Struct, frozen=True, array_like=True):
    """One missed path.

    Args:
        path: the absolute path on the host, raw bytes.
        reason: why.
        detail: what the system said, if anything (for example an errno name).
    """

    path: bytes
    reason: Reason
    detail: str = ""
