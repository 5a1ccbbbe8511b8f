"""BROWSE: one folder of a snapshot, as plain data for people. Paths are escaped text, times ISO 8601."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from strongroom.model.entry import Entry, EntryType
from strongroom.model.paths import escape_path, unescape_path
from strongroom.server.backup.find import require_snapshot
from strongroom.server.premises import premises
from strongroom.server.restore.request import normal_path
from strongroom.server.times import iso_ns

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST: Final = 10_000


def list_folder(*, snapshot: str, path: str, after: str = "", limit: int = 1000) -> dict[str, Any]:
    """Return the entries of a folder of a snapshot, in the order of their names.

    Args:
        path: escaped; a path that is a file gives that one entry.
        after: only names behind this one (escaped): `next` of the answer before.

    Raises:
        NotFound: there is no such snapshot or path.
        Mistake: the path is not one.
    """
    found = require_snapshot(snapshot)
    raw = normal_path(path)
    reader = premises().vault.reader(found.id)
    here = reader.entry(raw) if raw else None
    is_folder = here is None or here.stat.type == EntryType.FOLDER
    entries: Iterator[Entry] = reader.folder(raw) if here is None or is_folder else iter([here])
    begin = unescape_path(after)
    wanted = (entry for entry in entries if not after or entry.name > begin)
    page = list(islice(wanted, min(max(limit, 1), _MOST) + 1))
    more = len(page) > min(max(limit, 1), _MOST)
    shown = page[:-1] if more else page
    folder = raw if is_folder else raw.rpartition(b"/")[0]
    return {
        "snapshot": found.id,
        "path": "/" + escape_path(raw),
        "entries": [_shown(entry, folder) for entry in shown],
        "next": escape_path(shown[-1].name) if more else None,
    }


def _shown(entry: Entry, folder: bytes) -> dict[str, Any]:
    """Return one entry as plain data."""
    stat = entry.stat
    return {
        "name": escape_path(entry.name),
        "path": "/" + escape_path(b"/".join(part for part in (folder, entry.name) if part)),
        "type": stat.type.name.lower(),
        "mode": stat.mode,
        "uid": stat.uid,
        "gid": stat.gid,
        "user": entry.user,
        "group": entry.group,
        "size_bytes": stat.size,
        "mtime": iso_ns(stat.mtime_ns),
        "mtime_ns": stat.mtime_ns,
        "links": stat.nlink,
        "target": escape_path(entry.target) if entry.target else None,
    }
