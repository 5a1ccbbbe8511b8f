"""Packs: many sealed blocks in one file that is written once, with a sealed table of what is in it.

Why: a file of some megabytes is cheap to store, copy and check, and its own table makes it readable without any index.
Promises: the same parts sealed under the same key always give the same bytes; whatever the bytes, opening raises
nothing but `Damaged`. A block is bound to its vault, pack, number and kind.
Does not: read or write files, choose what goes into a pack, or know the index.
"""

from __future__ import annotations

import itertools
import struct
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from strongroom.engine.format import magic
from strongroom.engine.format.block import MAX_PLAIN_BYTES, BlockKind, Method
from strongroom.engine.format.columns import U32_BYTES, decode_u32, encode_u32, u32_column
from strongroom.engine.format.ids import ID_BYTES
from strongroom.engine.format.keys import associated_data, nonce
from strongroom.errors import Damaged

if TYPE_CHECKING:
    from array import array
    from collections.abc import Iterator, Sequence

    from typing_extensions import Buffer

    from strongroom.model.entry import ChunkId

HEADER_BYTES: Final = 64
FOOTER_BYTES: Final = 32
MAX_SEALED_BYTES: Final = MAX_PLAIN_BYTES + (1 << 16)
MAX_CHUNKS: Final = 1 << 18
TRAILER_NUMBER: Final = 0xFFFF_FFFF
_HEADER: Final = struct.Struct("<8sBB2xI16s16s16x")
_BLOCK: Final = struct.Struct("<4sII")
_TRAILER: Final = struct.Struct("<8sI")
_FOOTER: Final = struct.Struct("<QIIII8s")
_COUNTS: Final = struct.Struct("<II")
BLOCK_HEAD_BYTES: Final = _BLOCK.size
SEAL_BYTES: Final = 16
"""So much longer is what is sealed than what it holds."""
_thread = threading.local()


@dataclass(frozen=True)
class PackHeader:
    """What a pack says of itself in the clear; its uuid chooses its key."""

    kind: BlockKind
    epoch: int
    vault_id: bytes
    uuid: bytes


@dataclass(frozen=True)
class Footer:
    """Where a pack's trailer lies, and how much it lists."""

    trailer_offset: int
    trailer_bytes: int
    blocks: int
    chunks: int


@dataclass
class PackTable:
    """What is in a pack, as columns: one row per block, one row per chunk in the order in which chunks lie.

    Args:
        block_offsets, sealed_sizes, plain_sizes: of block n: where its sealed bytes begin, how many, and how many
            plain bytes all its chunks have.
        ids: packed.
        blocks, offsets, sizes: of chunk n: its block, where it begins in the plain block, its size.
    """

    block_offsets: list[int] = field(default_factory=list)
    sealed_sizes: array[int] = field(default_factory=u32_column)
    plain_sizes: array[int] = field(default_factory=u32_column)
    ids: bytes | bytearray = field(default_factory=bytearray)
    blocks: array[int] = field(default_factory=u32_column)
    offsets: array[int] = field(default_factory=u32_column)
    sizes: array[int] = field(default_factory=u32_column)

    def add_block(self, offset: int, sealed_bytes: int, ids: Sequence[ChunkId], sizes: Sequence[int]) -> None:
        """Add the next block and its chunks."""
        assert isinstance(self.ids, bytearray)
        number, start = len(self.block_offsets), 0
        for size in sizes:
            self.offsets.append(start)
            start += size
        self.ids += b"".join(ids)
        self.sizes.extend(sizes)
        self.blocks.extend([number] * len(ids))
        self.block_offsets.append(offset)
        self.sealed_sizes.append(sealed_bytes)
        self.plain_sizes.append(start)


class PackSeal:
    """Seals and opens the parts of one pack; make one per pack, for it keeps the key ready."""

    def __init__(self, header: PackHeader, key: bytes) -> None:
        """Take the header and the pack's own key (`keys.pack_key`)."""
        self.header = header
        self._cipher = AESGCM(key)

    def seal_block(self, number: int, method: Method, payload: bytes | memoryview) -> tuple[bytes, memoryview]:
        """Return a block's head and its sealed bytes, as they stand in the file one after the other.

        The sealed bytes are to be used before this thread seals another block: they lie in a buffer that is used
        again, because fresh memory costs more than the encryption.
        """
        size = 1 + len(payload)
        plain, sealed = _buffers(size)
        plain[0] = method
        plain[1:] = payload
        self._cipher.encrypt_into(nonce(number), plain, self._bound_to(number), sealed)
        return _BLOCK.pack(magic.PACK_BLOCK, number, len(sealed)), sealed

    def open_block(self, number: int, sealed: bytes | memoryview) -> tuple[Method, memoryview]:
        """Return a block's method and payload.

        Raises:
            Damaged: the bytes are not what was sealed (code `bad_seal`).
        """
        plain = memoryview(self._open(number, sealed))
        return _method_of(number, plain), plain[1:]

    def open_block_into(self, number: int, sealed: bytes | memoryview, room: memoryview) -> Method:
        """Open a block where it is needed: `room` becomes one byte for the method and then the payload.

        Args:
            room: `SEAL_BYTES` shorter than the sealed bytes; what it holds after an error is not to be used.

        Raises:
            Damaged: the bytes are not what was sealed (code `bad_seal`).
        """
        with _opening(number):
            self._cipher.decrypt_into(nonce(number), sealed, self._bound_to(number), room)
        return _method_of(number, room)

    def seal_trailer(self, table: PackTable, offset: int) -> tuple[bytes, bytes, bytes]:
        """Return the trailer's head, its sealed bytes and the footer, for a trailer whose head begins at `offset`."""
        sealed = self._cipher.encrypt(nonce(TRAILER_NUMBER), _encode_table(table), self._bound_to(TRAILER_NUMBER))
        head = _TRAILER.pack(magic.PACK_TRAILER, len(sealed))
        blocks, chunks = len(table.block_offsets), len(table.sizes)
        size = len(head) + len(sealed)
        return head, sealed, _FOOTER.pack(offset, size, blocks, chunks, magic.PACK_VERSION, magic.PACK_FOOTER)

    def open_trailer(self, stored: Buffer, footer: Footer) -> PackTable:
        """Return the table in a trailer (head and sealed bytes).

        Raises:
            Damaged: the bytes are not what was sealed, or not what the footer says.
        """
        view = memoryview(stored)
        if len(view) < _TRAILER.size or _TRAILER.unpack_from(view) != (magic.PACK_TRAILER, len(view) - _TRAILER.size):
            raise Damaged("A pack's trailer does not begin as it must.", code="bad_pack")
        table = _decode_table(self._open(TRAILER_NUMBER, view[_TRAILER.size :]))
        if (len(table.block_offsets), len(table.sizes)) != (footer.blocks, footer.chunks):
            raise Damaged("A pack's footer does not agree with its trailer.", code="bad_pack")
        return table

    def _open(self, number: int, sealed: bytes | memoryview) -> bytes:
        with _opening(number):
            return self._cipher.decrypt(nonce(number), sealed, self._bound_to(number))

    def _bound_to(self, number: int) -> bytes:
        return associated_data(self.header.vault_id, self.header.uuid, number, self.header.kind)


def encode_header(header: PackHeader) -> bytes:
    """Return the first bytes of a pack."""
    return _HEADER.pack(magic.PACK, magic.PACK_VERSION, header.kind, header.epoch, header.vault_id, header.uuid)


def decode_header(stored: bytes) -> PackHeader:
    """Read the first `HEADER_BYTES` of a pack.

    Raises:
        Damaged: they are no header of a known version (code `bad_pack`).
    """
    mark, version, kind, epoch, vault_id, uuid = _HEADER.unpack(stored)
    if mark != magic.PACK or version != magic.PACK_VERSION or kind not in _KINDS:
        raise Damaged("A pack does not begin with a header of a known version.", code="bad_pack")
    header = PackHeader(BlockKind(kind), epoch, vault_id, uuid)
    if encode_header(header) != stored:
        raise Damaged("A pack's header has bytes set that must be zero.", code="bad_pack")
    return header


def decode_footer(stored: bytes, file_bytes: int) -> Footer:
    """Read the last `FOOTER_BYTES` of a pack of `file_bytes`.

    Raises:
        Damaged: they are no footer, or point outside the file (code `bad_pack`).
    """
    offset, size, blocks, chunks, version, mark = _FOOTER.unpack(stored)
    if mark != magic.PACK_FOOTER or version != magic.PACK_VERSION:
        raise Damaged("A pack does not end with a footer of a known version.", code="bad_pack")
    if offset < HEADER_BYTES or offset + size != file_bytes - FOOTER_BYTES:
        raise Damaged("A pack's footer points to the wrong place.", code="bad_pack")
    return Footer(offset, size, blocks, chunks)


def _buffers(size: int) -> tuple[memoryview, memoryview]:
    """Return this thread's buffers for `size` plain bytes and for what sealing makes of them."""
    kept: bytearray | None = getattr(_thread, "buffer", None)
    if kept is None or len(kept) < 2 * size + SEAL_BYTES:
        kept = _thread.buffer = bytearray(2 * size + SEAL_BYTES)
    view = memoryview(kept)
    return view[:size], view[size : 2 * size + SEAL_BYTES]


@contextmanager
def _opening(number: int) -> Iterator[None]:
    """Say which part of a pack cannot be opened."""
    try:
        yield
    except (InvalidTag, ValueError) as error:
        part = "trailer" if number == TRAILER_NUMBER else f"block {number}"
        raise Damaged(f"The {part} of a pack is not what was sealed.", code="bad_seal") from error


def _method_of(number: int, plain: memoryview) -> Method:
    """Return the method that an opened block begins with."""
    if not plain or plain[0] not in _METHODS:
        raise Damaged(f"Block {number} of a pack holds nothing that is known.", code="bad_pack")
    return Method(plain[0])


def _encode_table(table: PackTable) -> bytes:
    rows = zip(table.block_offsets, table.sealed_sizes, table.plain_sizes, strict=True)
    return b"".join(
        (
            _COUNTS.pack(len(table.block_offsets), len(table.sizes)),
            b"".join(_ROW.pack(*row) for row in rows),
            table.ids,
            encode_u32(table.blocks),
            encode_u32(table.offsets),
            encode_u32(table.sizes),
        )
    )


def _decode_table(plain: bytes) -> PackTable:
    view = memoryview(plain)
    if len(view) < _COUNTS.size:
        raise Damaged("A pack's trailer is cut short.", code="bad_pack")
    blocks, chunks = _COUNTS.unpack_from(view)
    ids_at = _COUNTS.size + _ROW.size * blocks
    columns_at = ids_at + ID_BYTES * chunks
    ends = [columns_at + U32_BYTES * chunks * column for column in range(4)]
    if len(view) != ends[3]:
        raise Damaged("A pack's trailer has another length than it says.", code="bad_pack")
    rows = list(_ROW.iter_unpack(view[_COUNTS.size : ids_at]))
    numbers, offsets, sizes = (decode_u32(view[start:end]) for start, end in itertools.pairwise(ends))
    return PackTable(
        block_offsets=[row[0] for row in rows],
        sealed_sizes=u32_column(row[1] for row in rows),
        plain_sizes=u32_column(row[2] for row in rows),
        ids=bytes(view[ids_at:columns_at]),
        blocks=numbers,
        offsets=offsets,
        sizes=sizes,
    )


_ROW: Final = struct.Struct("<QII")
_KINDS: Final = frozenset(BlockKind)
_METHODS: Final = frozenset(Method)
