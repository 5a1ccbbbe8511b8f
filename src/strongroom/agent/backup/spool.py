"""Spool: a long sequence of records on disk instead of in memory, written once, read many times, in order.

Why: a listing of ten million files must not need memory for ten million files.
Promises: memory is a few buffers, whatever the length. Records are compressed. Reading what a power cut or a bad disk
has shortened or altered raises `Damaged`, whatever the bytes are.
Does not: look anything up; the order is the caller's.
"""

from __future__ import annotations

import struct
from typing import IO, TYPE_CHECKING, Any, Final, Generic, TypeVar

import msgspec
import zstandard

from strongroom.agent.backup.places import own_files_needed
from strongroom.errors import Damaged
from strongroom.kernel.touring import pass_known, skip

if TYPE_CHECKING:
    from collections.abc import Iterator

    from strongroom.kernel.pass_reference import Passed

Record = TypeVar("Record")
_LENGTH: Final = struct.Struct("<I")
_END: Final = _LENGTH.pack(0)
_LEVEL: Final = 1
_BUFFER_BYTES: Final = 256 << 10
_LARGEST_RECORD_BYTES: Final = 64 << 20
_encoder: Final = msgspec.msgpack.Encoder()


def framed(record: msgspec.Struct) -> bytes:
    """Return a record as it stands in a spool, for `SpoolWriter.write_framed`."""
    body = _encoder.encode(record)
    return _LENGTH.pack(len(body)) + body


class SpoolWriter:
    """Appends records to a file that stays the caller's."""

    def __init__(self, file: IO[bytes]) -> None:
        self._out = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).stream_writer(file, closefd=False)
        self._buffer = bytearray()

    def write(self, record: msgspec.Struct) -> None:
        """Append a record."""
        self.write_framed(framed(record))

    def write_framed(self, frames: bytes) -> None:
        """Append records that are framed already."""
        self._buffer += frames
        if len(self._buffer) >= _BUFFER_BYTES:
            self._drain()

    def finish(self) -> None:
        """Write out what is left and the end mark; the file now holds the whole sequence."""
        self._buffer += _END
        self._drain()
        with own_files_needed():
            self._out.flush(zstandard.FLUSH_FRAME)

    def _drain(self) -> None:
        """Compress the buffer."""
        with own_files_needed():  # a full disk here is no trouble of the file that is being looked at
            self._out.write(self._buffer)
        self._buffer.clear()


class SpoolReader(Generic[Record]):
    """Reads the records of a file from where it stands."""

    def __init__(self, file: IO[bytes], shape: Any) -> None:  # noqa: ANN401 - a type expression has no type of its own
        self._file = file
        self._decoder: msgspec.msgpack.Decoder[Record] = msgspec.msgpack.Decoder(shape)

    def __iter__(self) -> Iterator[Record]:
        """Yield every record.

        Raises:
            Damaged: the file does not hold what was written (code `damaged_spool`).
        """
        return map(self.decode, self.bodies())

    def decode(self, body: bytes) -> Record:
        """Return the record of a body.

        Raises:
            Damaged: it is none (code `damaged_spool`).
        """
        try:
            return self._decoder.decode(body)
        except msgspec.DecodeError as error:
            raise _damaged() from error

    def bodies(self) -> Iterator[bytes]:
        """Yield every record as it is encoded.

        Raises:
            Damaged: the file does not hold what was written (code `damaged_spool`).
        """
        frames = Frames(self._file)
        while body := frames.body():
            yield body
            frames.step()


class Frames:
    """Reads the records of a file from where it stands, framed as they are kept, many at a time.

    Methods raise Damaged if the file does not hold what was written (code `damaged_spool`).
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._raw = zstandard.ZstdDecompressor().stream_reader(file, closefd=False)
        self._some = b""
        self._at = 0

    def body(self) -> bytes:
        """Return the next record, without its frame; nothing at the end."""
        while (size := self._whole()) is None:
            self._read_on()
        start = self._at + _LENGTH.size
        return self._some[start : start + size]

    def step(self) -> None:
        """Go past the next record."""
        self._at += _LENGTH.size + _LENGTH.unpack_from(self._some, self._at)[0]

    def take(self, count: int) -> Iterator[bytes]:
        """Yield the next `count` records, some at a time; use them up."""
        while count:
            if not self.body():
                raise _damaged()
            start = self._at
            self._at, taken = skip(self._some, start, count)
            count -= taken
            yield self._some[start : self._at]

    def pass_known(self, told: bytes, at: int) -> Passed:
        """Pass by records of a tour, and here by those that say the same; see `kernel.pass_reference`."""
        self.body()
        passed = pass_known(told, at, self._some, self._at)
        self._at = passed.known
        return passed

    def _whole(self) -> int | None:
        """Return the size of the next record if all of it is at hand."""
        if len(self._some) - self._at < _LENGTH.size:
            return None
        (size,) = _LENGTH.unpack_from(self._some, self._at)
        if size > _LARGEST_RECORD_BYTES:
            raise _damaged()
        is_whole = len(self._some) - self._at - _LENGTH.size >= size
        return int(size) if is_whole else None

    def _read_on(self) -> None:
        """Have more at hand."""
        try:
            more = self._raw.read(_BUFFER_BYTES)
        except zstandard.ZstdError as error:
            raise _damaged() from error
        if not more:
            raise _damaged()
        self._some = self._some[self._at :] + more
        self._at = 0


def bodies_of(frames: bytes) -> Iterator[bytes]:
    """Yield the records of whole frames that lie end to end."""
    at = 0
    while at < len(frames):
        body, at = next_body(frames, at)
        yield body


def next_body(frames: bytes, at: int) -> tuple[bytes, int]:
    """Return the record of the frame at a place, and the place after it."""
    start = at + _LENGTH.size
    end = start + _LENGTH.unpack_from(frames, at)[0]
    return frames[start:end], end


def _damaged() -> Damaged:
    """Say that a spool cannot be read."""
    return Damaged("A spool file of the agent is cut short or altered.", code="damaged_spool")
