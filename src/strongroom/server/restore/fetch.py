"""FETCH: what an agent reads under a grant: first the listing, then blocks of chunks in the order it asks for them.

Promises: nothing that the grant does not cover; folders above the granted paths show only what leads to them.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

import msgspec

from strongroom.engine.format.tree import encode_leaf
from strongroom.model.entry import Entry, EntryType
from strongroom.protocol.messages import Fetch, ListedFolder
from strongroom.server.backup.ids import split_ids
from strongroom.server.premises import premises
from strongroom.server.restore.grant import Grant, coverage, require_grant

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from strongroom.engine.content.reader import SnapshotReader
    from strongroom.protocol.frames import Body
    from strongroom.server.catalog import models
    from strongroom.server.hosts.authenticate import Caller

_LEAF_ENTRIES: Final = 1024
_SWIFT_MB_S: Final = 250
"""A connection that carries more outruns a core that compresses (ADR 68)."""


def fetch(*, host: models.Host | Caller, message: Fetch, now: datetime) -> Iterator[bytes | Body]:
    """Yield the bodies of the reply's frames: encoded `ListedFolder`s, or blocks if chunks are asked for.

    Raises:
        Refused: the grant does not hold, or does not cover a chunk (`not_granted`).
        Mistake: the list of ids is not one.
        Damaged: the vault has lost something that is asked for.
    """
    grant = require_grant(text=message.grant, host=host, now=now)
    if not message.ids:
        return (msgspec.msgpack.encode(folder) for folder in _listing(grant))
    compress = message.link_mb_s < _SWIFT_MB_S
    return premises().vault.blocks(split_ids(message.ids), coverage(grant), compress=compress, room=message.room)


def _listing(grant: Grant) -> Iterator[ListedFolder]:
    """Yield the leaf nodes that the grant covers, the folders in a folder before the folder itself."""
    reader = premises().vault.reader(grant.snapshot)
    if not grant.paths:
        yield from _below(reader, b"")
        return
    above: dict[bytes, dict[bytes, Entry]] = defaultdict(dict)
    for path in grant.paths:
        entry = reader.entry(path)
        if entry.stat.type == EntryType.FOLDER:
            yield from _below(reader, path)
        _lead_to(reader, path, entry, above)
    for path in sorted(above, key=lambda path: (-path.count(b"/") - bool(path), path)):
        entries = [above[path][name] for name in sorted(above[path])]
        for begin in range(0, len(entries), _LEAF_ENTRIES):
            yield ListedFolder(path=path, node=encode_leaf(entries[begin : begin + _LEAF_ENTRIES]))


def _below(reader: SnapshotReader, path: bytes) -> Iterator[ListedFolder]:
    """Yield a folder and all below it."""
    return (ListedFolder(path=folder, node=node) for folder, node in reader.walk(path))


def _lead_to(reader: SnapshotReader, path: bytes, entry: Entry, above: dict[bytes, dict[bytes, Entry]]) -> None:
    """Enter a path and the folders above it into what their own folders show."""
    while True:
        parent, _, name = path.rpartition(b"/")
        known = name in above[parent]
        above[parent][name] = entry
        if known or not parent:
            return
        path, entry = parent, reader.entry(parent)
