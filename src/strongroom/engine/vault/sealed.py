"""A block as it lies in its pack: read, but not opened before it is known where it is to go.

Why: a restore sends blocks as they are stored. Opened straight into what is sent, their bytes are copied nowhere else.
Promises: what is opened was authenticated against vault, pack, number and kind; anything else raises `Damaged`.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from strongroom.engine.format.block import Block, block_head, head_bytes
from strongroom.engine.format.columns import encode_u32
from strongroom.engine.format.ids import ID_BYTES, unpack_ids
from strongroom.engine.format.pack import SEAL_BYTES
from strongroom.errors import Damaged

if TYPE_CHECKING:
    from array import array
    from collections.abc import Iterator

    from strongroom.engine.format.pack import PackSeal, PackTable
    from strongroom.model.entry import ChunkId


@dataclass(frozen=True)
class PackFile:
    """A pack that can be read: its name and path, its seal and its table."""

    name: bytes
    path: str
    seal: PackSeal
    table: PackTable


class SealedBlock:
    """See the module's docstring. As a frame's body it is as long as the block that travels."""

    def __init__(self, file: PackFile, number: int, sealed: memoryview) -> None:
        """Take what was read from a pack; it is kept as long as this."""
        self.number = number
        self.kind = file.seal.header.kind
        self._file = file
        self._sealed = sealed
        low, high = bisect_left(file.table.blocks, number), bisect_right(file.table.blocks, number)
        self._packed_ids = bytes(file.table.ids[ID_BYTES * low : ID_BYTES * high])
        self.sizes: array[int] = file.table.sizes[low:high]

    @cached_property
    def ids(self) -> tuple[ChunkId, ...]:
        """The block's chunks in the order in which they lie."""
        return tuple(unpack_ids(self._packed_ids))

    @property
    def plain_size(self) -> int:
        """Bytes of all its chunks together."""
        return sum(self.sizes)

    def __len__(self) -> int:
        """Return how many bytes `write_to` needs."""
        return head_bytes(len(self.sizes)) + self._opened_bytes - 1

    def write_to(self, room: memoryview) -> None:
        """Write the block into `room` as it travels.

        Raises:
            Damaged: it is not what was written; what is in `room` is not to be used.
        """
        assert len(room) == len(self)
        with named(self._file.name):
            # The method comes out of the seal in front of the payload, in the last byte of what the head then fills.
            method = self._file.seal.open_block_into(self.number, self._sealed, room[len(room) - self._opened_bytes :])
        at = 0
        for part in block_head(self.kind, method, self._packed_ids, encode_u32(self.sizes), self._opened_bytes - 1):
            room[at : at + len(part)] = part
            at += len(part)

    def opened(self) -> Block:
        """Return the block with its payload, still compressed.

        Raises:
            Damaged: it is not what was written.
        """
        with named(self._file.name):
            method, payload = self._file.seal.open_block(self.number, self._sealed)
        return Block(self.kind, method, self.ids, tuple(self.sizes), payload)

    @property
    def _opened_bytes(self) -> int:
        """Return how long the method and the payload are."""
        return len(self._sealed) - SEAL_BYTES


@contextmanager
def named(name: bytes) -> Iterator[None]:
    """Say in an error which pack is damaged, and what to do about it."""
    try:
        yield
    except Damaged as error:
        raise Damaged(
            error.text if name.hex() in error.text else f"The pack {name.hex()} is damaged. {error.text}",
            code=error.code,
            hint="`strongroom vault check --read-data` names all that is damaged; the next backup sends it again.",
        ) from error
