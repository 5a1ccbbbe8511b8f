"""Moving aside what is in the way, so that both are kept."""

from __future__ import annotations

import errno
import itertools
from typing import TYPE_CHECKING, Final

from strongroom.agent.platform import linux_place as system

if TYPE_CHECKING:
    from datetime import datetime

_MOST_TRIES: Final = 1000
_NAME_BYTES: Final = 255
_CONTINUES: Final = 0x80


def kept_label(now: datetime) -> bytes:
    """Return what is added to the names of things moved aside by one restore; local time, for people."""
    return now.astimezone().strftime(" (kept %Y-%m-%d %H.%M.%S").encode()


def move_aside(parent: int, name: bytes, label: bytes) -> bytes:
    """Rename what has this name to a free name that says so; return that name.

    Raises:
        OSError: it cannot be renamed.
    """
    for number in itertools.islice(itertools.count(1), _MOST_TRIES):
        ending = label + (b")" if number == 1 else b", %d)" % number)
        kept = _shortened(name, _NAME_BYTES - len(ending)) + ending
        try:
            system.rename_new(parent, name, kept)
        except FileExistsError:
            continue
        return kept
    raise FileExistsError(errno.EEXIST, "too many of that name were kept")


def _shortened(name: bytes, length: int) -> bytes:
    """Cut a name to a length without leaving half a character of UTF-8 at its end."""
    if len(name) <= length:
        return name
    while length and name[length] & 0xC0 == _CONTINUES:
        length -= 1
    return name[:length]
