"""Packs while they are read: their tables and blocks, with what was opened last kept at hand.

Why: a walk over a tree and a restore read neighbouring chunks; opening a block once must serve them all.
Promises: what is returned was authenticated against vault, pack, number and kind; anything else raises `Damaged`.
Memory is bounded: `TABLE_CACHE_BYTES` for tables, `BLOCK_CACHE_BYTES` for opened blocks.
"""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from strongroom.engine.format.block import Block, expand
from strongroom.engine.format.ids import ID_BYTES, unpack_ids
from strongroom.engine.format.pack import (
    FOOTER_BYTES,
    HEADER_BYTES,
    MAX_SEALED_BYTES,
    PackSeal,
    PackTable,
    decode_footer,
    decode_header,
)
from strongroom.engine.vault.packs import pack_path
from strongroom.errors import Damaged, NotFound

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from strongroom.engine.vault.keyring import Keyring
    from strongroom.engine.vault.storage.base import Storage

TABLE_CACHE_BYTES: Final = 24 << 20
BLOCK_CACHE_BYTES: Final = 32 << 20
_Value = TypeVar("_Value")


@dataclass(frozen=True)
class PackFile:
    """A pack that can be read: its path, its seal and its table."""

    path: str
    seal: PackSeal
    table: PackTable


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
            with _named(name):
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
        return PackFile(path, seal, table)

    def block(self, name: bytes, number: int) -> Block:
        """Return a block as it would travel: its chunks and its payload, still compressed.

        Raises:
            Damaged: the pack is missing, or the block is not what was written.
        """
        file = self.file(name)
        table = file.table
        if not 0 <= number < len(table.block_offsets) or table.sealed_sizes[number] > MAX_SEALED_BYTES:
            raise Damaged(f"The pack {name.hex()} has no block {number} that can be read.", code="bad_pack")
        try:
            sealed = self._storage.read(file.path, table.block_offsets[number], table.sealed_sizes[number])
        except NotFound as error:
            raise Damaged(f"The pack {name.hex()} is missing.", code="pack_missing") from error
        with _named(name):
            method, payload = file.seal.open_block(number, sealed)
        low, high = bisect_left(table.blocks, number), bisect_right(table.blocks, number)
        ids = tuple(unpack_ids(bytes(table.ids[ID_BYTES * low : ID_BYTES * high])))
        return Block(file.seal.header.kind, method, ids, tuple(table.sizes[low:high]), payload)

    def plain(self, name: bytes, number: int) -> bytes | memoryview:
        """Return the chunks of a block end to end.

        Raises:
            Damaged: the pack is missing, or the block is not what was written.
        """
        key = (name, number)
        plain = self._plains.find(key)
        if plain is None:
            block = self.block(name, number)
            plain = expand(block.method, block.payload, block.plain_size)
            self._plains.keep(key, plain, len(plain))
        return plain

    def forget(self) -> None:
        """Drop everything at hand, so that the next reads see the storage."""
        self._files.clear()
        self._plains.clear()


@contextmanager
def _named(name: bytes) -> Iterator[None]:
    """Say in an error which pack is damaged, and what to do about it."""
    try:
        yield
    except Damaged as error:
        raise Damaged(
            error.text if name.hex() in error.text else f"The pack {name.hex()} is damaged. {error.text}",
            code=error.code,
            hint="`strongroom vault check --read-data` names all that is damaged; the next backup sends it again.",
        ) from error


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
