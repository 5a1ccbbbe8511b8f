"""Blocks: many chunks laid end to end, compressed together; the form in which content travels and is sealed.

Why: small files compress together as in a solid archive, and cost no call each.
Promises: whatever the bytes, decoding and opening raise nothing but `Damaged` and never allocate more than
`MAX_PLAIN_BYTES` for content. Payloads are not copied: a decoded block lives on the buffer it was decoded from.
Does not: choose what goes into a block, nor compress (engine/content/blocks.py does).
"""

from __future__ import annotations

import enum
import struct
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import zstandard

from strongroom.engine.format import magic
from strongroom.engine.format.ids import ID_BYTES, chunk_ids, unpack_ids
from strongroom.errors import Damaged
from strongroom.model.cutting import LARGEST_BYTES

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from strongroom.model.entry import ChunkId

MAX_CHUNK_BYTES: Final = LARGEST_BYTES
MAX_PLAIN_BYTES: Final = 5 << 20
MAX_CHUNKS: Final = 65_536
LEAST_ROOM_BYTES: Final = 4096
"""What a chunk counts at least where there is room for some: whoever keeps it has to know of it (ADR 70)."""
_HEADER: Final = struct.Struct("<8sBBBxII")
_SIZE_BYTES: Final = 4
_thread = threading.local()


class BlockKind(enum.IntEnum):
    """What a block's chunks are; packs have the same kinds."""

    DATA = 1
    TREE = 2


class Method(enum.IntEnum):
    """How a block's payload is kept."""

    STORED = 0
    ZSTD = 1


@dataclass(frozen=True, slots=True)
class Block:
    """A block in its plain (not encrypted) form.

    Args:
        ids, sizes: of the chunks in the order in which they lie.
        payload: the chunks end to end, as `method` says.
    """

    kind: BlockKind
    method: Method
    ids: tuple[ChunkId, ...]
    sizes: tuple[int, ...]
    payload: bytes | memoryview

    @property
    def plain_size(self) -> int:
        """Bytes of all its chunks together."""
        return sum(self.sizes)


def encode_block(block: Block) -> bytes:
    """Return a block as it travels in a parcel."""
    sizes = struct.pack(f"<{len(block.ids)}I", *block.sizes)
    return b"".join(
        (*block_head(block.kind, block.method, b"".join(block.ids), sizes, len(block.payload)), block.payload)
    )


def block_head(kind: BlockKind, method: Method, ids: bytes, sizes: bytes, payload_bytes: int) -> tuple[bytes, ...]:
    """Return what stands before a block's payload, in parts; `ids` and `sizes` are packed."""
    count = len(ids) // ID_BYTES
    return _HEADER.pack(magic.BLOCK, magic.BLOCK_VERSION, kind, method, count, payload_bytes), ids, sizes


def head_bytes(count: int) -> int:
    """Return how long the head of a block of so many chunks is."""
    return _HEADER.size + (ID_BYTES + _SIZE_BYTES) * count


def decode_block(buffer: Buffer) -> Block:
    """Read a block without opening it.

    Raises:
        Damaged: the bytes are no block, or break a limit (code `bad_block`).
    """
    view = memoryview(buffer)
    if len(view) < _HEADER.size:
        raise _bad("it is cut short")
    mark, version, kind, method, count, payload_bytes = _HEADER.unpack_from(view)
    if mark != magic.BLOCK or version != magic.BLOCK_VERSION or view[11]:
        raise _bad("it has no header of a known version")
    if kind not in _KINDS or method not in _METHODS:
        raise _bad("its kind or method is unknown")
    if not 0 < count <= MAX_CHUNKS:
        raise _bad(f"it claims to hold {count} chunks")
    sizes_at = _HEADER.size + ID_BYTES * count
    payload_at = sizes_at + _SIZE_BYTES * count
    if len(view) != payload_at + payload_bytes:
        raise _bad("its length is not what its header says")
    sizes = struct.unpack_from(f"<{count}I", view, sizes_at)
    _require_sizes(sizes)
    ids = tuple(unpack_ids(bytes(view[_HEADER.size : sizes_at])))
    return Block(BlockKind(kind), Method(method), ids, sizes, view[payload_at:])


def packed_ids(buffer: Buffer) -> bytes:
    """Return the ids of an encoded block end to end, without looking at the rest of it.

    Raises:
        Damaged: the bytes are no block (code `bad_block`).
    """
    view = memoryview(buffer)
    if len(view) < _HEADER.size:
        raise _bad("it is cut short")
    count = _HEADER.unpack_from(view)[4]
    if len(view) < _HEADER.size + ID_BYTES * count:
        raise _bad("it is cut short")
    return bytes(view[_HEADER.size : _HEADER.size + ID_BYTES * count])


def open_block(block: Block) -> bytes | memoryview:
    """Return the chunks of a block, end to end; not verified against their ids.

    Raises:
        Damaged: the payload is not exactly the chunks it should be (code `bad_block`).
    """
    return expand(block.method, block.payload, block.plain_size)


def verify_block(block: Block, key_ids: bytes) -> bytes | memoryview:
    """Open a block, recompute every id in it, and return the chunks end to end.

    Raises:
        Damaged: the payload is wrong (code `bad_block`), or an id is not that of its chunk (code `false_id`).
    """
    plain = open_block(block)
    true_ids = chunk_ids(key_ids, plain, block.sizes)
    if true_ids != b"".join(block.ids):
        false = next(claimed for claimed, true in zip(block.ids, unpack_ids(true_ids), strict=True) if claimed != true)
        raise Damaged(f"A chunk does not have the id {false.hex()} that it claims.", code="false_id")
    return plain


def expand(method: int, payload: bytes | memoryview, plain_size: int) -> bytes | memoryview:
    """Undo a block's compression, allocating `plain_size` bytes at most.

    Raises:
        Damaged: the payload is not `plain_size` bytes as `method` says (code `bad_block`).
    """
    if not 0 < plain_size <= MAX_PLAIN_BYTES:
        raise _bad(f"its plain size cannot be {plain_size}")
    if len(payload) > plain_size:
        raise _bad("it is larger than its chunks")
    if method == Method.STORED:
        plain: bytes | memoryview = payload
    elif method == Method.ZSTD:
        plain = _decompress(payload, plain_size)
    else:
        raise _bad("its method is unknown")
    if len(plain) != plain_size:
        raise _bad("its plain size is not what it says")
    return plain


def _decompress(payload: bytes | memoryview, plain_size: int) -> bytes:
    """Decompress one zstd frame whose header names its content size; that size is what the library would allocate."""
    decompressor: zstandard.ZstdDecompressor | None = getattr(_thread, "decompressor", None)
    if decompressor is None:
        decompressor = _thread.decompressor = zstandard.ZstdDecompressor()
    try:
        if zstandard.frame_content_size(payload) != plain_size:
            raise _bad("its compressed payload has another size")
        return decompressor.decompress(payload, max_output_size=plain_size, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise _bad("its compressed payload is broken") from error


def _require_sizes(sizes: tuple[int, ...]) -> None:
    if min(sizes) == 0 or max(sizes) > MAX_CHUNK_BYTES or sum(sizes) > MAX_PLAIN_BYTES:
        raise _bad("the sizes of its chunks break a limit")


def _bad(why: str) -> Damaged:
    return Damaged(f"This is not a valid block: {why}.", code="bad_block")


_KINDS: Final = frozenset(BlockKind)
_METHODS: Final = frozenset(Method)
