"""The definition of the walk, in plain Python: what the C must equal, bit for bit.

Names are packed: sorted by their raw bytes, each ended by a zero byte, for a name holds none. A folder of a million
names is then one object instead of a million.
A stat is encoded as the msgpack array of the thirteen fields of `model.entry.Stat`; a part as the array of its stats.
"""

from __future__ import annotations

import errno
import os
import stat as modes
import zlib
from bisect import bisect_left
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

SETTLE_NS: Final = 20_000_000
"""Two ticks of the slowest clock that kernels stamp files with (100 Hz): a younger time may be given out again."""
WHOLE_SECONDS_SETTLE_NS: Final = 2_000_000_000
"""The same where the file system keeps whole (or even) seconds only."""
MOST_IN_PART: Final = 1024
MOST_LIMITS: Final = 15
TYPES: Final = {
    modes.S_IFREG: 1,
    modes.S_IFDIR: 2,
    modes.S_IFLNK: 3,
    modes.S_IFIFO: 4,
    modes.S_IFCHR: 5,
    modes.S_IFBLK: 6,
    modes.S_IFSOCK: 7,
}
"""The numbers of `EntryType` by what stat calls them."""
_MOST_READS: Final = 4
_EARLIEST_NS, _LATEST_NS = -(2**63), 2**64 - 1  # what a stored whole number holds: the years 1677 to 2554


class Part(NamedTuple):
    """A part of a folder that holds something.

    Args:
        first, last: the names at its ends.
        files: how many of its entries are no folders.
        is_settled: the times of all of them are old enough to be believed.
        stats: the encoded stats.
    """

    first: bytes
    last: bytes
    files: int
    is_settled: bool
    stats: bytes


class Look(NamedTuple):
    """What was seen of a folder.

    Args:
        next: the place in the packed names where to go on; their length when all were looked at.
        parts: what was found, cut where the leaves of the tree end.
        folders: the names of folders, and whether each lies on another device than the folder that it stands in.
        foreign: the names of what else lies on another device.
        failed: names of which nothing could be learned, with the number of the system's error.
        files, size, histogram: of all that is no folder, how many, their bytes, and how many of each class of sizes.
    """

    next: int
    parts: list[Part]
    folders: list[tuple[bytes, bool]]
    foreign: list[bytes]
    failed: list[tuple[bytes, int]]
    files: int
    size: int
    histogram: list[int]


def list_names(handle: int, most: int = 0) -> tuple[bytes, bool] | None:
    """Return the packed names of an open folder, each once, and whether all of them are UTF-8.

    Some file systems tell twice, or not at all, of a name that is replaced while they are read. So a folder is read
    again until it holds still; one that never does has the names that any of the reads told of.

    Args:
        most: if not 0, the answer is None when there are more names than this.

    Raises:
        OSError: the system does not tell.
    """
    found: set[str] = set()
    then = os.fstat(handle)
    for _ in range(_MOST_READS):
        os.lseek(handle, 0, os.SEEK_SET)
        told = os.listdir(handle)
        if most and len(told) > most:
            return None
        now = os.fstat(handle)
        if (now.st_mtime_ns, now.st_ctime_ns) == (then.st_mtime_ns, then.st_ctime_ns):
            found = set(told)
            break
        found.update(told)
        then = now
    names = sorted(map(os.fsencode, found))
    packed = b"".join([name + b"\0" for name in names])
    try:
        packed.decode()
    except UnicodeDecodeError:
        return packed, False
    return packed, True


def look(handle: int, names: bytes, start: int, *, most: int, now_ns: int, device: int, limits: Sequence[int]) -> Look:
    """Look at names in an open folder, without following links, until `most` of them are done and a part ends.

    A part ends after a name whose crc32 is a multiple of 256, after 1024 names, and after the last.
    A folder has one name, whatever the system says; only a file has a size, only what has several names a device.

    Args:
        names: packed; all the names of the folder that matter.
        start: the place of the first to look at; a part begins there.
        now_ns: a moment before this call; times that are not older than it by a margin are not believed.
        device: if not 0, the number to give out for the device of what has several names.
        limits: the upper limits, inclusive, of the classes of sizes; one more class holds all that is larger.

    Raises:
        OSError: the folder itself cannot be looked at.
        ValueError: the arguments make no sense.
    """
    require_packed(names, start, most, limits)
    answer = Look(start, [], [], [], [], 0, 0, [0] * (len(limits) + 1))
    if start == len(names):
        return answer
    todo = names[start:-1].split(b"\0")
    begin = at = 0
    while at < len(todo) and (at > begin or at < most):
        at += 1
        if at == len(todo) or at - begin == MOST_IN_PART or zlib.crc32(todo[at - 1]) & 0xFF == 0:
            answer = _with_part(answer, handle, todo[begin:at], now_ns=now_ns, device=device, limits=limits)
            begin = at
    return answer


def require_packed(names: bytes, start: int, most: int, limits: Sequence[int]) -> None:
    """Refuse arguments that make no sense.

    Raises:
        ValueError: they do not.
    """
    if (names and names[-1]) or not 0 <= start <= len(names) or (start > 0 and names[start - 1]):
        message = "Packed names end with a zero byte each, and a look begins at one of them."
        raise ValueError(message)
    if most < 1 or len(limits) > MOST_LIMITS:
        message = f"A look is at one name at least, with {MOST_LIMITS} limits at most."
        raise ValueError(message)


def _with_part(
    before: Look, handle: int, names: list[bytes], *, now_ns: int, device: int, limits: Sequence[int]
) -> Look:
    """Return what was seen before, and one part more."""
    found, failed = _found(handle, names)
    sizes = [_size(raw) for _, raw in found if not modes.S_ISDIR(raw.st_mode)]
    histogram = list(before.histogram)
    for size in sizes:
        histogram[bisect_left(limits, size)] += 1
    own = os.fstat(handle).st_dev
    parts = list(before.parts)
    if found:
        is_settled = not any(is_unsettled(raw.st_mtime_ns, raw.st_ctime_ns, now_ns) for _, raw in found)
        stats = _array(len(found)) + b"".join([_encoded(name, raw, now_ns, device) for name, raw in found])
        parts.append(Part(found[0][0], found[-1][0], len(sizes), is_settled, stats))
    return Look(
        next=before.next + sum(map(len, names)) + len(names),
        parts=parts,
        folders=before.folders + [(name, raw.st_dev != own) for name, raw in found if modes.S_ISDIR(raw.st_mode)],
        foreign=before.foreign + [n for n, raw in found if raw.st_dev != own and not modes.S_ISDIR(raw.st_mode)],
        failed=before.failed + failed,
        files=before.files + len(sizes),
        size=before.size + sum(sizes),
        histogram=histogram,
    )


def _found(handle: int, names: list[bytes]) -> tuple[list[tuple[bytes, os.stat_result]], list[tuple[bytes, int]]]:
    """Return what the system says of names, and those of which it says nothing that is understood."""
    found: list[tuple[bytes, os.stat_result]] = []
    failed: list[tuple[bytes, int]] = []
    for name in names:
        try:
            raw = os.lstat(name, dir_fd=handle)
        except OSError as error:
            failed.append((name, error.errno or 0))
            continue
        if modes.S_IFMT(raw.st_mode) in TYPES:
            found.append((name, raw))
        else:
            failed.append((name, errno.ENOTSUP))
    return found, failed


def is_unsettled(mtime_ns: int, ctime_ns: int, now_ns: int) -> bool:
    """Tell whether a later change could leave the very same times.

    A modification time in the future was set by hand; that says nothing, and the time of the change says enough.
    """
    margin_ns = SETTLE_NS if ctime_ns % 1_000_000_000 else WHOLE_SECONDS_SETTLE_NS
    return ctime_ns > now_ns - margin_ns or now_ns - margin_ns < mtime_ns <= now_ns + margin_ns


def storable(time_ns: int) -> int:
    """Return a time, or the nearest that can be stored: some file systems keep times of any age."""
    return max(_EARLIEST_NS, min(time_ns, _LATEST_NS))


def _size(raw: os.stat_result) -> int:
    return raw.st_size if modes.S_ISREG(raw.st_mode) else 0


def _encoded(name: bytes, raw: os.stat_result, now_ns: int, device: int) -> bytes:
    """Encode a stat: an array of thirteen fields."""
    kind = modes.S_IFMT(raw.st_mode)
    names = 1 if kind == modes.S_IFDIR else raw.st_nlink
    numbers = (
        TYPES[kind],
        raw.st_mode & 0o7777,
        raw.st_uid,
        raw.st_gid,
        _size(raw),
        storable(raw.st_mtime_ns),
        storable(raw.st_ctime_ns),
        raw.st_ino,
        names,
        (device or raw.st_dev) if names > 1 else 0,
        raw.st_rdev if kind in {modes.S_IFCHR, modes.S_IFBLK} else 0,
    )
    unsettled = is_unsettled(raw.st_mtime_ns, raw.st_ctime_ns, now_ns)
    head = b"\xc4" + bytes([len(name)]) if len(name) < 256 else b"\xc5" + len(name).to_bytes(2, "big")  # noqa: PLR2004
    return b"".join([_array(13), head, name, *map(_number, numbers), b"\xc3" if unsettled else b"\xc2"])


def _array(count: int) -> bytes:
    return bytes([0x90 | count]) if count < 16 else b"\xdc" + count.to_bytes(2, "big")  # noqa: PLR2004


def _number(value: int) -> bytes:
    """Encode a whole number in the shortest form that msgpack has for it."""
    if -32 <= value < 128:  # noqa: PLR2004
        return value.to_bytes(1, "big", signed=value < 0)
    for power in range(4):
        bits = 8 << power
        if value >= 0 and not value >> bits:
            return bytes([0xCC + power]) + value.to_bytes(bits // 8, "big")
        if value < 0 and -value <= 1 << bits - 1:
            return bytes([0xD0 + power]) + value.to_bytes(bits // 8, "big", signed=True)
    raise OverflowError(value)
