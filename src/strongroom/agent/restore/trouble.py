"""What the list says of a step that failed, and the one failure that ends a restore."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final

from strongroom.agent.platform import linux_place as system
from strongroom.agent.restore.steps import Special
from strongroom.errors import StrongroomError
from strongroom.model.entry import EntryType
from strongroom.model.missed import Reason

if TYPE_CHECKING:
    from strongroom.agent.restore.steps import OneStep

_DEVICES: Final = (EntryType.CHAR_DEVICE, EntryType.BLOCK_DEVICE)
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


class TargetFull(StrongroomError):
    """The disk that is restored to is full, or the quota is used up."""

    code = "target_full"


def require_room(error: OSError) -> None:
    """Return if the error is about one file only.

    Raises:
        TargetFull: there is no room for more.
    """
    if error.errno in _FULL:
        raise TargetFull(
            f"There is no room for more: {error.strerror}.", hint="Make room and restore again."
        ) from error


def reason_of_step(step: OneStep, error: OSError) -> tuple[Reason, str]:
    """Return what the list says of a system error."""
    word = system.reason_of(error)
    if error.errno == errno.EPERM and isinstance(step, Special) and step.entry.stat.type in _DEVICES:
        return Reason.UNSUPPORTED, f"only root can make device nodes ({word})"
    if error.errno in {errno.ENOTEMPTY, errno.EEXIST}:
        return Reason.WRITE_ERROR, f"a folder that is not empty, or something new, is in the way ({word})"
    if error.errno in {errno.ELOOP, errno.ENOTDIR}:
        return Reason.OUTSIDE_TARGET, f"a folder above it was replaced ({word})"
    if isinstance(error, PermissionError):
        return Reason.ACCESS_DENIED, word
    return Reason.WRITE_ERROR, word
