"""Backup sets: what to protect on one host.

Rules: absolute include paths; names unique on the whole server, and never a number; no two sets of one host with the
same content. Content is kept in one normal form (sorted, no repetition, nothing below what is included already), so
that two spellings of the same content are the same content.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Final

import msgspec
from django.db import transaction

from strongroom.errors import Conflict, Mistake, NotFound
from strongroom.model.host import OsFamily
from strongroom.model.paths import escape_path, unescape_path
from strongroom.server.backup.request import require_not_revoked
from strongroom.server.catalog import models
from strongroom.server.users.audit import Actor, record

if TYPE_CHECKING:
    from datetime import datetime

    from strongroom.model.policy import Content, Options

_NAME_LIMIT: Final = 100
_MOST_PATHS: Final = 10_000
_ABSOLUTE = {
    OsFamily.LINUX: re.compile(rb"/"),
    OsFamily.WINDOWS: re.compile(rb"[A-Za-z]:[\\/]|\\\\[^\\/]+[\\/][^\\/]+"),
}
_SEPARATOR = {OsFamily.LINUX: re.compile(rb"/+"), OsFamily.WINDOWS: re.compile(rb"[\\/]+")}


def create_set(
    *, name: str, host: models.Host, content: Content, options: Options, by: Actor, now: datetime
) -> models.BackupSet:
    """Create a backup set and return it.

    Raises:
        Mistake: the name or a path cannot be.
        Conflict: the name is taken, or another set of the host has the same content.
    """
    name = _require_name(name)
    normal = normal_content(content, OsFamily(host.os_family))
    digest = hashlib.sha256(msgspec.json.encode(normal)).hexdigest()
    with transaction.atomic():
        row = models.Host.objects.get(id=host.id)
        require_not_revoked(row)
        if models.BackupSet.objects.filter(name=name).exists():
            raise Conflict(f"There is a backup set {name} already.", code="name_taken", hint="Choose another name.")
        twin = models.BackupSet.objects.filter(host=row, content_hash=digest).first()
        if twin is not None:
            raise Conflict(
                f"The backup set {twin.name} of {row.name} has the same content already.", code="same_content"
            )
        created = models.BackupSet.objects.create(
            name=name,
            host=row,
            content=msgspec.to_builtins(normal),
            content_hash=digest,
            options=msgspec.to_builtins(options),
            created=now,
        )
        record("set.create", f"set {name}", by=by, now=now, host=row.name, content=created.content)
    return created


def require_set(reference: str) -> models.BackupSet:
    """Return the set of this name or number.

    Raises:
        NotFound: there is none.
    """
    sets = models.BackupSet.objects.select_related("host")
    number = int(reference) if re.fullmatch("[0-9]{1,18}", reference) else 0
    found = sets.filter(id=number).first() if number else sets.filter(name=reference).first()
    if found is None:
        raise NotFound(
            f"There is no backup set {reference}.", code="no_such_set", hint="List them with: strongroom set list"
        )
    return found


def normal_content(content: Content, os_family: OsFamily) -> Content:
    """Return the content in its normal form.

    Raises:
        Mistake: nothing is included, or a path is not absolute or not plain.
    """
    if not content.include:
        raise Mistake("A backup set must include at least one path.", code="nothing_included")
    if len(content.include) + len(content.exclude) > _MOST_PATHS:
        raise Mistake(f"A backup set can have {_MOST_PATHS} paths and patterns.", code="too_many_paths")
    paths = sorted({_normal_path(path, os_family) for path in content.include}, key=lambda path: path.split(b"/"))
    kept: list[bytes] = []
    for path in paths:
        if not (kept and _is_below(path, kept[-1])):
            kept.append(path)
    exclude = sorted({_require_pattern(pattern) for pattern in content.exclude})
    return msgspec.structs.replace(content, include=tuple(escape_path(path) for path in kept), exclude=tuple(exclude))


def _require_name(name: str) -> str:
    """Refuse a name that cannot be shown on one line or told from a number."""
    name = name.strip()
    if not name or len(name) > _NAME_LIMIT or not name.isprintable() or "/" in name or not name.strip("."):
        raise Mistake(
            f"A set's name has 1 to {_NAME_LIMIT} printable characters, no slash, and not only dots.", code="bad_name"
        )
    if name.isdigit():
        raise Mistake(f"A set's name cannot be a number: {name}.", code="bad_name", hint="Sets have numbers as well.")
    return name


def _normal_path(text: str, os_family: OsFamily) -> bytes:
    """Return an include path without doubled or trailing separators."""
    path = unescape_path(text)
    if b"\0" in path:
        raise Mistake(f"The include path {text} has a zero byte in it.", code="bad_path")
    if not _ABSOLUTE[os_family].match(path):
        raise Mistake(
            f"The include path {text or 'that is empty'} is not absolute.",
            code="path_not_absolute",
            hint="Give the whole path, such as /srv/files." if os_family is OsFamily.LINUX else "",
        )
    parts = [part for part in _SEPARATOR[os_family].split(path) if part not in (b"", b".")]
    if b".." in parts:
        raise Mistake(f"The include path {text} has .. in it.", code="bad_path", hint="Give the path without it.")
    if os_family is OsFamily.LINUX:
        return b"/" + b"/".join(parts)
    begin = b"\\\\" if path.startswith(b"\\\\") else b""
    return begin + b"\\".join(parts) + (b"\\" if not begin and len(parts) == 1 else b"")


def _is_below(path: bytes, folder: bytes) -> bool:
    """Tell whether a normal path is the folder or lies in it."""
    separator = b"\\" if b"/" not in folder[:1] else b"/"
    return path == folder or path.startswith(folder.rstrip(separator) + separator)


def _require_pattern(pattern: str) -> str:
    """Refuse a pattern that matches nothing or everything."""
    if not pattern.strip("/ ") or "\0" in unescape_path(pattern).decode("utf-8", "surrogateescape"):
        raise Mistake(f"The exclude pattern {pattern!r} names nothing.", code="bad_pattern")
    return pattern
