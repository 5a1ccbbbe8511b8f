"""Packs while they are written: blocks go in, sealed, until the pack is closed, durable and registered.

Why: a chunk counts as stored only when its pack is; between the two it is *pending*, and everyone who relies on it must
be able to bring the pack to its end.
Promises: `close` either makes the pack durable and registered, or raises, now and at every later call; it may be called
by any thread, also one that serves another session. A pack without blocks leaves nothing behind.
Does not: decide which chunks go in; the session does, holding `lock` from that decision to `append`.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from blake3 import blake3

from strongroom.engine.format.block import BlockKind
from strongroom.engine.format.pack import BLOCK_HEAD_BYTES, HEADER_BYTES, MAX_CHUNKS, PackTable, encode_header
from strongroom.engine.vault.ledger import NewPack

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from strongroom.engine.format.block import Method
    from strongroom.engine.format.pack import PackSeal
    from strongroom.engine.vault.storage.base import Draft, Storage
    from strongroom.model.entry import ChunkId

PACK_BYTES: Final = {BlockKind.DATA: 32 << 20, BlockKind.TREE: 8 << 20}


class OpenPack:
    """One pack that is being written for one session.

    Args:
        register: called once with the durable pack and its table; makes ledger and index know it.
        settled: called once when the pack is closed or has failed: none of its chunks is pending any more.
    """

    def __init__(
        self,
        storage: Storage,
        seal: PackSeal,
        *,
        register: Callable[[NewPack, PackTable], None],
        settled: Callable[[OpenPack], None],
    ) -> None:
        self.kind = seal.header.kind
        self.lock = threading.RLock()
        self.table = PackTable()
        self.failure: BaseException | None = None
        self.full = False
        self._storage = storage
        self._seal = seal
        self._register = register
        self._settled = settled
        self._draft: Draft | None = None
        self._digest = blake3()
        self._size_bytes = 0
        self._closed = False

    @property
    def takes_more(self) -> bool:
        """Whether `append` may still be called; ask while holding `lock`."""
        return not (self._closed or self.full or self.failure)

    def append(self, method: Method, payload: bytes | memoryview, ids: Sequence[ChunkId], sizes: Sequence[int]) -> int:
        """Seal a block into the pack and return how many bytes it took. The caller holds `lock`.

        Raises:
            Unavailable: the storage failed; the pack is lost with all that was in it.
        """
        try:
            head, sealed = self._seal.seal_block(len(self.table.block_offsets), method, payload)
            if self._draft is None:
                # The next session asks for trees again; documents are read when they are restored.
                self._draft = self._storage.draft(is_read_soon=self.kind is BlockKind.TREE)
                self._write(encode_header(self._seal.header))
            self.table.add_block(self._size_bytes + BLOCK_HEAD_BYTES, len(sealed), ids, sizes)
            self._write(head, sealed)
        except BaseException as error:
            self._fail(error)
            raise
        self.full = self._size_bytes >= PACK_BYTES[self.kind] or len(self.table.sizes) >= MAX_CHUNKS
        return BLOCK_HEAD_BYTES + len(sealed)

    def close(self) -> None:
        """Make the pack durable and registered; does nothing when it is.

        Raises:
            Unavailable: it could not be made durable, now or earlier.
            Conflict: the session has ended (code `session_ended`).
        """
        with self.lock:
            if self.failure is not None:
                raise self.failure
            if self._closed:
                return
            try:
                if self._draft is not None:
                    self._finish(self._draft)
            except BaseException as error:
                self._fail(error)
                raise
            self._closed = True
            self._settled(self)

    def drop(self, why: BaseException) -> None:
        """Give the pack up unless it is closed: its session can register nothing any more."""
        with self.lock:
            if not self._closed and self.failure is None:
                self._fail(why)

    def _finish(self, draft: Draft) -> None:
        assert self._size_bytes > HEADER_BYTES
        self._write(*self._seal.seal_trailer(self.table, self._size_bytes))
        name = self._digest.digest()
        draft.publish(pack_path(name))
        self._register(NewPack(name, self.kind, len(self.table.sizes), self._size_bytes), self.table)

    def _write(self, *parts: bytes | memoryview) -> None:
        assert self._draft is not None
        for part in parts:
            self._digest.update(part)
            self._size_bytes += len(part)
        self._draft.write(*parts)

    def _fail(self, error: BaseException) -> None:
        self.failure = error
        if self._draft is not None:
            self._draft.discard()
        self._settled(self)


def pack_path(name: bytes) -> str:
    """Return where the pack of this name (32 bytes) lies in the storage."""
    text = name.hex()
    return f"packs/{text[:2]}/{text}"
