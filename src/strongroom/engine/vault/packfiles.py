"""Packs while they are read: their tables and blocks, with what was opened last kept at hand.

Why: a walk over a tree and a restore read neighbouring chunks; opening a block once must serve them all.
Promises: what is returned was authenticated against vault, pack, number and kind; anything else raises `Damaged`.
Memory is bounded: `TABLE_CACHE_BYTES` for tables, `BLOCK_CACHE_BYTES` for opened blocks.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from strongroom.engine.format.block import expand
from strongroom.engine.format.ids import ID_BYTES
from strongroom.engine.format.pack import (
    BLOCK_HEAD_BYTES,
    FOOTER_BYTES,
    HEADER_BYTES,
    MAX_SEALED_BYTES,
    SEAL_BYTES,
    decode_footer,
    decode_header,
)
from strongroom.engine.vault.packs import pack_path
from strongroom.engine.vault.sealed import PackFile, SealedBlock, named
from strongroom.errors import Damaged, NotFound

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator

    from strongroom.engine.vault.keyring import Keyring
    from strongroom.engine.vault.storage.base import Storage

TABLE_CACHE_BYTES: Final = 24 << 20
BLOCK_CACHE_BYTES: Final = 32 << 20
RUN_BYTES: Final = 2 << 20
_Value = TypeVar("_Value")


class PackFiles:
    """Reads the packs of a storage. Safe to use from several threads."""

    def __init__(self, storage: Storage, keyring: Keyring) -> None:
        """Begin with nothing at hand."""
        self._storage = storage
        self._keyring = keyring
        self._files: _Recent[PackFile] = _Recent(TABLE_CACHE_BYTES)
        self._plains: _Recent[bytes | memoryview] = _Recent(BLOCK_CACHE_BYTES)

    def file(self, name: bytes) -> PackFile:
        """Return the pack of this name, its table opened.

        Raises:
            Damaged: it is missing (code `pack_missing`) or not what was written.
        """
        file = self._files.find(name)
        if file is None:
            with named(name):
                file = self.read_file(name)
            self._files.keep(name, file, (ID_BYTES + 12) * len(file.table.sizes) + 64 * len(file.table.sealed_sizes))
        return file

    def read_file(self, name: bytes) -> PackFile:
        """Open the pack of this name anew, whatever is at hand.

        Raises:
            Damaged: it is missing (code `pack_missing`) or not what was written.
        """
        path = pack_path(name)
        try:
            size = self._storage.size(path)
            if size < HEADER_BYTES + FOOTER_BYTES:
                raise Damaged(f"The pack {name.hex()} is cut short.", code="cut_short")
            header = decode_header(self._storage.read(path, 0, HEADER_BYTES))
            footer = decode_footer(self._storage.read(path, size - FOOTER_BYTES, FOOTER_BYTES), size)
            seal = self._keyring.pack_seal(header)
            table = seal.open_trailer(self._storage.read(path, footer.trailer_offset, footer.trailer_bytes), footer)
        except NotFound as error:
            raise Damaged(f"The pack {name.hex()} is missing.", code="pack_missing") from error
        return PackFile(name, path, seal, table)

    def sealed(self, name: bytes, numbers: Iterable[int]) -> Iterator[SealedBlock]:
        """Yield blocks, read but not opened; those that lie side by side are read together, up to `RUN_BYTES`.

        Raises:
            Damaged: the pack is missing or cut short, or has no such block.
        """
        file = self.file(name)
        for run in _runs(file, numbers):
            begin = file.table.block_offsets[run[0]]
            end = file.table.block_offsets[run[-1]] + file.table.sealed_sizes[run[-1]]
            try:
                stored = memoryview(self._storage.read(file.path, begin, end - begin))
            except NotFound as error:
                raise Damaged(f"The pack {name.hex()} is missing.", code="pack_missing") from error
            for number in run:
                at = file.table.block_offsets[number] - begin
                yield SealedBlock(file, number, stored[at : at + file.table.sealed_sizes[number]])

    def plain(self, name: bytes, number: int) -> bytes | memoryview:
        """Return the chunks of a block end to end.

        Raises:
            Damaged: the pack is missing, or the block is not what was written.
        """
        key = (name, number)
        plain = self._plains.find(key)
        if plain is None:
            (sealed,) = self.sealed(name, [number])
            block = sealed.opened()
            plain = expand(block.method, block.payload, block.plain_size)
            self._plains.keep(key, plain, len(plain))
        return plain

    def forget(self) -> None:
        """Drop everything at hand, so that the next reads see the storage."""
        self._files.clear()
        self._plains.clear()


def _runs(file: PackFile, numbers: Iterable[int]) -> Iterator[list[int]]:
    """Group blocks that lie side by side.

    Raises:
        Damaged: the pack has no such block, or none that can be (code `bad_pack`).
    """
    table, end, room = file.table, 0, 0
    run: list[int] = []
    for number in numbers:
        known = 0 <= number < len(table.block_offsets)
        if not known or not SEAL_BYTES < table.sealed_sizes[number] <= MAX_SEALED_BYTES:
            raise Damaged(f"The pack {file.name.hex()} has no block {number} that can be read.", code="bad_pack")
        begin, size = table.block_offsets[number], table.sealed_sizes[number]
        if run and (begin != end + BLOCK_HEAD_BYTES or size > room):
            yield run
            run = []
        room = (room if run else RUN_BYTES) - size
        run.append(number)
        end = begin + size
    if run:
        yield run


class _Recent(Generic[_Value]):
    """What was used last, up to a number of bytes."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._used_bytes = 0
        self._kept: OrderedDict[Hashable, tuple[_Value, int]] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, key: Hashable) -> _Value | None:
        with self._lock:
            found = self._kept.get(key)
            if found is None:
                return None
            self._kept.move_to_end(key)
            return found[0]

    def keep(self, key: Hashable, value: _Value, size_bytes: int) -> None:
        with self._lock:
            if key in self._kept:
                return
            self._kept[key] = (value, size_bytes)
            self._used_bytes += size_bytes
            while self._used_bytes > self._limit_bytes and len(self._kept) > 1:
                _, (_, freed) = self._kept.popitem(last=False)
                self._used_bytes -= freed

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()
            self._used_bytes = 0
