"""The notes of sets as they lie in the storage: written after a commit, read before the next one of the same set.

Why: a server that was restarted, or that has seen many sets since, does not have in memory what a set's tree refers to.
Promises: notes are believed only if the packs that they speak of still have the ordinals they had: a catalog that was
restored or made anew may have numbered them otherwise. Whether a chunk is alive and the set's, the walk finds out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from strongroom.engine.format.notes import MOST_STORED_BYTES, NodeNote, PackNote, decode_notes, encode_notes
from strongroom.engine.vault.noted import References
from strongroom.errors import Damaged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyroaring import BitMap64

    from strongroom.engine.vault.index import Index
    from strongroom.engine.vault.noted import NotedReferences
    from strongroom.engine.vault.storage.base import Storage


class Notes:
    """See the module's docstring."""

    def __init__(self, storage: Storage, index: Index, key: bytes) -> None:
        """Keep notes in a storage, sealed with K_notes."""
        self._storage = storage
        self._index = index
        self._key = key

    def keep(self, set_id: int, root: bytes, reach: BitMap64, noted: NotedReferences) -> None:
        """Write down what is noted of a set's tree, in place of what was written before.

        Args:
            reach: the ordinals of all that the tree refers to.

        Raises:
            Damaged: a pack that the tree refers to is not in the index.
            Unavailable: the storage cannot take it.
        """
        nodes = (NodeNote(node, tree, data) for node, tree, data in noted.placed_below(root))
        self._storage.put(notes_path(set_id), [encode_notes(self._packs(reach), nodes, self._key)], replace=True)

    def load(self, set_id: int, noted: NotedReferences) -> None:
        """Note what was written down of a set; nothing when a pack has other ordinals now.

        Raises:
            NotFound: there are no notes of this set.
            Damaged: they are not what was written, or a pack cannot be read any more.
            Unavailable: the storage failed.
        """
        name = notes_path(set_id)
        size = self._storage.size(name)
        if size > MOST_STORED_BYTES:
            raise Damaged("The notes of a set are larger than notes can be.", code="bad_notes")
        # Read, not mapped: where the medium fails that is an error, and not the end of the process.
        packs, nodes = decode_notes(self._storage.read(name, 0, size), self._key)
        for pack in packs:
            now = self._index.pack_at(pack.first)
            if (now.name, now.first) != (pack.name, pack.first):
                return
        for note in nodes:
            noted.note_read(note.node, References(note.tree, note.data))

    def _packs(self, reach: BitMap64) -> Iterator[PackNote]:
        """Yield the packs in which chunks lie."""
        last = reach.max()
        at = reach.min()
        while True:
            pack = self._index.pack_at(at)
            yield PackNote(pack.name, pack.first)
            end = pack.first + pack.chunks
            if end > last:
                return
            at = reach.next_set_bit(end)


def notes_path(set_id: int) -> str:
    """Return where the notes of a set lie in the storage."""
    return f"notes/{set_id}"
