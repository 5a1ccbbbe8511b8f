"""Spool: a long sequence of records on disk instead of in memory, written once, read many times, in order.

Why: a listing of ten million files must not need memory for ten million files.
Promises: memory is a few buffers, whatever the length. Records are compressed. Reading what a power cut or a bad disk
has shortened or altered raises `Damaged`, whatever the bytes are.
Does not: look anything up; the order is the caller's.
"""

from __future__ import annotations

import io
import struct
from typing import IO, TYPE_CHECKING, Any, Final, Generic, TypeVar

import msgspec
import zstandard

from strongroom.agent.backup.places import own_files_needed
from strongroom.errors import Damaged

if TYPE_CHECKING:
    from collections.abc import Iterator

Record = TypeVar("Record")
_LENGTH: Final = struct.Struct("<I")
_END: Final = _LENGTH.pack(0)
_LEVEL: Final = 1
_BUFFER_BYTES: Final = 256 << 10
_LARGEST_RECORD_BYTES: Final = 64 << 20
_encoder: Final = msgspec.msgpack.Encoder()


def framed(record: msgspec.Struct) -> bytes:
    """Return a record as it stands in a spool, for `SpoolWriter.write_framed`."""
    return framed_body(_encoder.encode(record))


def framed_body(body: bytes) -> bytes:
    """Return an encoded record as it stands in a spool, for `SpoolWriter.write_framed`."""
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
        raw = zstandard.ZstdDecompressor().stream_reader(self._file, closefd=False)
        try:
            with io.BufferedReader(raw, _BUFFER_BYTES) as stream:
                while (head := stream.read(_LENGTH.size)) != _END:
                    yield _body(stream, head)
        except (zstandard.ZstdError, struct.error) as error:
            raise _damaged() from error


def _body(stream: io.BufferedReader[Any], head: bytes) -> bytes:
    """Read the record that `head` announces."""
    (length,) = _LENGTH.unpack(head)
    body = stream.read(length) if length <= _LARGEST_RECORD_BYTES else b""
    if len(body) != length:
        raise _damaged()
    return body


def _damaged() -> Damaged:
    """Say that a spool cannot be read."""
    return Damaged("A spool file of the agent is cut short or altered.", code="damaged_spool")
