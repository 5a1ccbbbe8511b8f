"""How templates show numbers, times and modes. Registered in Django's settings as a built-in library."""

from __future__ import annotations

import stat
from datetime import datetime
from typing import Any

from django import template

register = template.Library()

_KIB = 1024
_MINUTE = 60
_THIN_SPACE = "\u202f"
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_TYPES = {
    "file": stat.S_IFREG,
    "folder": stat.S_IFDIR,
    "symlink": stat.S_IFLNK,
    "fifo": stat.S_IFIFO,
    "char_device": stat.S_IFCHR,
    "block_device": stat.S_IFBLK,
    "socket": stat.S_IFSOCK,
}
_TONES = {
    "successful": "good",
    "successful_with_errors": "fair",
    "failed": "bad",
    "aborted": "bad",
    "window_expired": "bad",
    "running": "busy",
    "queued": "calm",
    "waiting_for_agent": "calm",
    "skipped": "calm",
    "cancelled": "calm",
}


@register.filter
def size(value: float | None, digits: int = 1) -> str:
    """Return a number of bytes as a person reads it."""
    if value is None:
        return ""
    count = float(value)
    unit = 0
    while count >= _KIB and unit < len(_UNITS) - 1:
        count /= _KIB
        unit += 1
    return f"{count:.0f} B" if unit == 0 else f"{count:.{digits}f} {_UNITS[unit]}"


@register.filter
def count(value: int | None) -> str:
    """Return a number with its thousands set apart."""
    return "" if value is None else f"{value:,}".replace(",", _THIN_SPACE)


@register.filter
def instant(text: str | None) -> str:
    """Return an ISO time in UTC to the second, for columns and lists that say that it is UTC."""
    return datetime.fromisoformat(text).strftime("%Y-%m-%d %H:%M:%S") if text else ""


@register.filter
def moment(text: str | None) -> str:
    """Return an ISO time in UTC to the second."""
    return f"{instant(text)} UTC" if text else ""


@register.filter
def until(begin: str | None, end: str | None) -> float | None:
    """Return the seconds between two ISO times."""
    if not begin or not end:
        return None
    return (datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds()


@register.filter
def duration(seconds: float | None) -> str:
    """Return seconds as a person reads them."""
    if seconds is None:
        return ""
    if seconds < _MINUTE:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), _MINUTE)
    hours, minutes = divmod(minutes, _MINUTE)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


@register.filter
def section(path: str) -> str:
    """Return the part of the navigation that an address belongs to."""
    first = path.strip("/").partition("/")[0]
    return "sets" if first == "snapshots" else first


@register.filter
def words(text: object) -> str:
    """Return a code such as `waiting_for_agent` as words."""
    return str(text or "").replace("_", " ")


@register.filter
def tone(state: str) -> str:
    """Return the colour class of a job's state."""
    return _TONES.get(state, "calm")


@register.filter
def mode(entry: dict[str, Any]) -> str:
    """Return an entry's type and permissions as `ls -l` shows them."""
    return stat.filemode(_TYPES[entry["type"]] | int(entry["mode"]))


@register.filter
def share(part: float | None, whole: float | None) -> int:
    """Return what part of the whole is done, in percent, 0 to 100."""
    return 0 if not part or not whole else min(100, int(100 * part / whole))
