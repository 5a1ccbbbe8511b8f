"""What the kernel told of folders: the parts that a listing is made of, and the records of a tour.

Promises: what a tour tells is decoded as it comes, record by record, and only where it is not as it is known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from blake3 import blake3

from strongroom.agent.backup.spool import next_body
from strongroom.model.entry import Stat

if TYPE_CHECKING:
    from strongroom.kernel.walk_reference import Look

_FINGERPRINT_BYTES: Final = 16
_decoder: Final = msgspec.msgpack.Decoder(list[Stat])


class ListedPart(msgspec.Struct, frozen=True, array_like=True, tag=2, gc=False):
    """A part of a folder: names `first` to `last`, `files` of them no folders, and their encoded stats.

    `fingerprint` is empty when equal times would prove nothing.
    """

    first: bytes
    last: bytes
    files: int
    fingerprint: bytes
    stats: bytes

    def decoded(self) -> list[Stat]:
        """Return the stats."""
        return _decoder.decode(self.stats)

    def file_bytes(self) -> int:
        """Return the sizes of all files together."""
        return sum([stat.size for stat in _sizes.decode(self.stats)])


class _Sized(msgspec.Struct, array_like=True, gc=False):
    """The beginning of a `Stat`; what is no file has no size."""

    name: msgspec.Raw
    type: msgspec.Raw
    mode: msgspec.Raw
    uid: msgspec.Raw
    gid: msgspec.Raw
    size: int


_sizes: Final = msgspec.msgpack.Decoder(list[_Sized])


def listed_parts(look: Look) -> list[ListedPart]:
    """Return the parts that were seen, with their fingerprints."""
    return [
        ListedPart(first, last, files, blake3(stats).digest(_FINGERPRINT_BYTES) if is_settled else b"", stats)
        for first, last, files, is_settled, stats in look.parts
    ]


class ToldBegins(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """Of a tour: a folder begins."""


class ToldEnds(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """Of a tour: the folder that was begun last ends, and has these parts."""

    path: bytes
    parts: list[ListedPart]


class ToldLeft(msgspec.Struct, frozen=True, array_like=True, tag=3):
    """Of a tour: a folder was left alone."""

    path: bytes


class ToldRest(msgspec.Struct, frozen=True, array_like=True, tag=4):
    """Of a tour: folders in a folder, by their packed names, were not gone into."""

    path: bytes
    names: bytes


Told = ToldBegins | ToldEnds | ToldLeft | ToldRest
_told_decoder: Final[msgspec.msgpack.Decoder[Told]] = msgspec.msgpack.Decoder(Told)


def next_told(told: bytes, at: int) -> tuple[Told, int]:
    """Return the record at a place, and the place after it."""
    body, after = next_body(told, at)
    return _told_decoder.decode(body), after
