"""Frames: length-prefixed byte strings, for parcels of blocks and for streams of messages.

A frame is a 4-byte big-endian length and so many bytes. A parcel is a session name frame followed by block frames.
Promises: a reader never allocates more than `MAX_FRAME_BYTES` for one frame, whatever the peer says.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Protocol

from strongroom.errors import Mistake

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

MAX_FRAME_BYTES = 16 << 20
MAX_PARCEL_BYTES = 32 << 20
_LENGTH = struct.Struct(">I")


class Body(Protocol):
    """A frame's body that is made where it is needed, so that nothing of it is copied."""

    def __len__(self) -> int:
        """Return how long it is."""

    def write_to(self, room: memoryview) -> None:
        """Fill `room`, which is as long, to its last byte; or raise, and then what is in it is not to be used."""


def lay_frames(bodies: Sequence[bytes | Body]) -> bytearray:
    """Return the bodies as one string of frames, each written straight into its place."""
    frames = bytearray(sum(_LENGTH.size + len(body) for body in bodies))
    view, at = memoryview(frames), 0
    for body in bodies:
        _LENGTH.pack_into(view, at, len(body))
        at += _LENGTH.size
        room = view[at : at + len(body)]
        if isinstance(body, bytes):
            room[:] = body
        else:
            body.write_to(room)
        at += len(body)
    return frames


def encode_frames(bodies: Iterable[bytes]) -> bytes:
    """Return the bodies as one string of frames."""
    return b"".join(frame_pieces(bodies))


def frame_pieces(bodies: Iterable[bytes]) -> list[bytes]:
    """Return the bodies as frames in pieces, to be sent one after the other; the bodies are not copied."""
    pieces: list[bytes] = []
    for body in bodies:
        pieces += (_LENGTH.pack(len(body)), body)
    return pieces


def decode_frames(data: bytes) -> Iterator[memoryview]:
    """Yield the bodies of the frames in `data`, without copying.

    Raises:
        Mistake: a frame is cut short or too long.
    """
    view = memoryview(data)
    position = 0
    while position < len(view):
        if len(view) - position < _LENGTH.size:
            raise Mistake("A frame's length is cut short.", code="bad_frame")
        (length,) = _LENGTH.unpack_from(view, position)
        position += _LENGTH.size
        if length > MAX_FRAME_BYTES or position + length > len(view):
            raise Mistake("A frame is longer than it may be, or cut short.", code="bad_frame")
        yield view[position : position + length]
        position += length


def read_frames(read: Callable[[int], bytes]) -> Iterator[bytes]:
    """Yield the bodies of a stream of frames to its end, each read in one piece.

    Args:
        read: returns so many bytes, fewer only at the end of the stream.

    Raises:
        Mistake: a frame says that it is longer than allowed, or the stream ended in the middle of one.
    """
    while head := read(_LENGTH.size):
        length = _LENGTH.unpack(head)[0] if len(head) == _LENGTH.size else 0
        if length > MAX_FRAME_BYTES:
            raise Mistake("A frame is longer than it may be.", code="bad_frame")
        body = read(length) if length else b""
        if len(head) < _LENGTH.size or len(body) < length:
            raise Mistake("The stream ended in the middle of a frame.", code="bad_frame")
        yield body


class FrameReader:
    """Takes bytes as they arrive and gives whole frames."""

    def __init__(self) -> None:
        """Begin with nothing buffered."""
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Add `data`; yield each frame body that is complete now.

        Raises:
            Mistake: a frame says that it is longer than allowed.
        """
        self._buffer += data
        while len(self._buffer) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer)
            if length > MAX_FRAME_BYTES:
                raise Mistake("A frame is longer than it may be.", code="bad_frame")
            end = _LENGTH.size + length
            if len(self._buffer) < end:
                return
            with memoryview(self._buffer) as whole, whole[_LENGTH.size : end] as part:
                body = bytes(part)
            del self._buffer[:end]
            yield body

    def require_empty(self) -> None:
        """Refuse a stream that ended in the middle of a frame.

        Raises:
            Mistake: bytes are left over.
        """
        if self._buffer:
            raise Mistake("The stream ended in the middle of a frame.", code="bad_frame")
