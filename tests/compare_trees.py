#!/usr/bin/env python3
"""Compare two folder trees and print every difference: an independent judge of restores.

It shares no code with the product, uses the standard library only, and can be run or imported:

    compare_trees.py LEFT RIGHT [--ignore-KIND...] [--ignore-root] [--atime] [--json]
    compare(left, right) -> list[str]

LEFT is the original, RIGHT the copy. Both are walked together, name by name in byte order, through folder handles, so
paths may have any length and names any bytes. For each pair it compares type, mode with setuid, setgid and sticky,
owner and group, modification time to the nanosecond, every readable extended attribute (access lists and capabilities
are among them), inode flags, content byte for byte, link targets, device numbers, which names share one file, and where
files have holes; the copy may take neither noticeably more nor less room on the disk than the original.
Access times are compared only with --atime: most copies do not keep them, and reading changes them.

Exit code: 0 identical, 1 different, 2 wrong use. Linux only.
"""

from __future__ import annotations

import argparse
import errno
import fcntl
import json
import os
import resource
import stat
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

KINDS = (
    *("missing", "extra", "type", "content", "mode", "owner", "mtime", "atime"),
    *("target", "xattr", "flags", "device", "links", "sparse", "unreadable"),
)
PIECE = 1 << 20
LONGEST_SHOWN = 240
ROOM_BYTES = 64 * 1024  # what a copy may take on the disk beyond the original, besides a sixteenth of it
GET_FLAGS = 0x80086601
FLAGS = 0x6283C4FF  # of the inode flags those that a person sets; the others tell how the file system stores a file
OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

Extents = list[tuple[int, int]]


@dataclass(frozen=True)
class Difference:
    """One way in which one path differs."""

    kind: str
    path: bytes
    detail: str

    def __str__(self) -> str:
        """Show kind, path and detail on one line, whatever bytes the path has."""
        path = readable(self.path)
        if len(path) > LONGEST_SHOWN:
            path = f"{path[: LONGEST_SHOWN // 2]} ... {path[-LONGEST_SHOWN // 2 :]} ({len(self.path)} bytes)"
        return f"{self.kind}: {path}: {self.detail}"


@dataclass
class Comparison:
    """What to leave out, and what has been found so far."""

    ignored: frozenset[str] = frozenset({"atime"})
    ignore_root: bool = False
    differences: list[Difference] = field(default_factory=list)
    compared: int = 0
    names: tuple[dict[tuple[int, int], list[bytes]], ...] = field(default_factory=lambda: ({}, {}))

    def add(self, kind: str, path: bytes, detail: str) -> None:
        """Record a difference, unless its kind is left out."""
        if kind not in self.ignored:
            self.differences.append(Difference(kind, path, detail))


def compare(left: str | Path, right: str | Path) -> list[str]:
    """Compare two trees in everything but access times; return one line for each difference, none when identical."""
    return [str(difference) for difference in compare_trees(left, right, Comparison()).differences]


def compare_trees(left: str | Path, right: str | Path, found: Comparison) -> Comparison:
    """Compare two trees and add all that differs to what was found."""
    raise_open_files()
    with opened(left) as left_top, opened(right) as right_top:
        if not found.ignore_root:
            compare_attributes(found, b".", Side(left_top, b"."), Side(right_top, b"."))
        compare_folders(found, left_top, right_top)
    compare_links(found)
    return found


# ----------------------------------------------------------------------------------------------------------------------
# Walking


class Side:
    """One name below an open folder, on one side."""

    def __init__(self, folder: int, name: bytes) -> None:
        """Look at the name without following a link."""
        self.folder = folder
        self.name = name
        self.stat = os.stat(name, dir_fd=folder, follow_symlinks=False)
        self.type = stat.S_IFMT(self.stat.st_mode)

    def attributes(self) -> dict[bytes, bytes]:
        """Read all extended attributes that may be read."""
        path = b"/proc/self/fd/%d/%s" % (self.folder, self.name)
        try:
            names = os.listxattr(path, follow_symlinks=False)
        except OSError as error:
            if error.errno in (errno.ENOTSUP, errno.ENOSYS):
                return {}
            raise
        names = [name for name in names if not name.startswith("trusted.SGI_ACL_")]  # xfs names its access lists twice
        return {os.fsencode(name): os.getxattr(path, name, follow_symlinks=False) for name in names}

    def flags(self) -> int:
        """Read the inode flags of a file or folder; what has none, or may not be opened, counts as without."""
        if self.type not in (stat.S_IFREG, stat.S_IFDIR):
            return 0
        try:
            with self.reading() as file:
                return int.from_bytes(fcntl.ioctl(file, GET_FLAGS, bytes(8))[:4], sys.byteorder) & FLAGS
        except OSError:
            return 0

    @contextmanager
    def reading(self, flags: int = 0) -> Iterator[int]:
        """Open for reading, leaving the access time alone where that is permitted."""
        try:
            file = os.open(self.name, OPEN | os.O_NOATIME | flags, dir_fd=self.folder)
        except PermissionError:
            file = os.open(self.name, OPEN | flags, dir_fd=self.folder)
        try:
            yield file
        finally:
            os.close(file)


def compare_folders(found: Comparison, left_top: int, right_top: int) -> None:
    """Walk both trees depth first with a stack of our own, so that depth is limited by open files alone."""
    stack = [(b"", left_top, right_top, paired(left_top, right_top), ExitStack())]
    while stack:
        parent, left_folder, right_folder, pairs, handles = stack[-1]
        name, in_left, in_right = next(pairs, (b"", False, False))
        if not name:
            stack.pop()
            handles.close()
            continue
        path = parent + b"/" + name if parent else name
        if not (in_left and in_right):
            compare_presence(found, path, Side(left_folder if in_left else right_folder, name), in_left=in_left)
            continue
        left, right = Side(left_folder, name), Side(right_folder, name)
        compare_attributes(found, path, left, right)
        if left.type == right.type == stat.S_IFDIR:
            with ExitStack() as entered:
                try:
                    inner = [entered.enter_context(side.reading(os.O_DIRECTORY)) for side in (left, right)]
                except OSError as error:
                    found.add("unreadable", path, f"folder: {error.strerror}")
                    continue
                stack.append((path, inner[0], inner[1], paired(inner[0], inner[1]), entered.pop_all()))


def paired(left: int, right: int) -> Iterator[tuple[bytes, bool, bool]]:
    """Yield every name of two folders once, in byte order, with the sides that have it."""
    left_names, right_names = ({os.fsencode(name) for name in os.listdir(folder)} for folder in (left, right))
    for name in sorted(left_names | right_names):
        yield name, name in left_names, name in right_names


def compare_presence(found: Comparison, path: bytes, side: Side, *, in_left: bool) -> None:
    """Report a name that only one side has; of a folder, all that is below it goes unsaid."""
    below = " with all below it" if side.type == stat.S_IFDIR else ""
    found.add("missing" if in_left else "extra", path, TYPE_NAMES[side.type] + below)


TYPE_NAMES = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "folder",
    stat.S_IFLNK: "symlink",
    stat.S_IFIFO: "pipe",
    stat.S_IFCHR: "character device",
    stat.S_IFBLK: "block device",
    stat.S_IFSOCK: "socket",
}


# ----------------------------------------------------------------------------------------------------------------------
# One pair


def compare_attributes(found: Comparison, path: bytes, left: Side, right: Side) -> None:
    """Compare all there is to one pair of names, except what lies below a folder."""
    found.compared += 1
    if left.type != right.type:
        found.add("type", path, f"{TYPE_NAMES[left.type]} became {TYPE_NAMES[right.type]}")
        return
    compare_stat(found, path, left.stat, right.stat)
    compare_xattrs(found, path, left, right)
    if (before := left.flags()) != (after := right.flags()):
        found.add("flags", path, f"{before:#x} became {after:#x}")
    for side, groups in zip((left, right), found.names, strict=True):
        if left.type != stat.S_IFDIR and max(left.stat.st_nlink, right.stat.st_nlink) > 1:
            groups.setdefault((side.stat.st_dev, side.stat.st_ino), []).append(path)
    if left.type == stat.S_IFREG:
        compare_content(found, path, left, right)
    elif left.type == stat.S_IFLNK:
        targets = [os.readlink(side.name, dir_fd=side.folder) for side in (left, right)]
        if targets[0] != targets[1]:
            found.add("target", path, f"{readable(targets[0])} became {readable(targets[1])}")
    elif left.type in (stat.S_IFCHR, stat.S_IFBLK):
        numbers = [(os.major(side.stat.st_rdev), os.minor(side.stat.st_rdev)) for side in (left, right)]
        if numbers[0] != numbers[1]:
            found.add("device", path, f"{numbers[0]} became {numbers[1]}")


def compare_stat(found: Comparison, path: bytes, left: os.stat_result, right: os.stat_result) -> None:
    """Compare what `stat` tells of any type of file."""
    modes = [stat.S_IMODE(side.st_mode) for side in (left, right)]
    owners = [(side.st_uid, side.st_gid) for side in (left, right)]
    if modes[0] != modes[1]:
        found.add("mode", path, f"{modes[0]:04o} became {modes[1]:04o}")
    if owners[0] != owners[1]:
        found.add("owner", path, f"{owners[0]} became {owners[1]}")
    if left.st_mtime_ns != right.st_mtime_ns:
        found.add("mtime", path, f"{left.st_mtime_ns} ns became {right.st_mtime_ns} ns")
    if left.st_atime_ns != right.st_atime_ns:
        found.add("atime", path, f"{left.st_atime_ns} ns became {right.st_atime_ns} ns")


def compare_xattrs(found: Comparison, path: bytes, left: Side, right: Side) -> None:
    """Compare extended attributes, POSIX access lists and capabilities among them."""
    try:
        before, after = left.attributes(), right.attributes()
    except OSError as error:
        found.add("unreadable", path, f"extended attributes: {error.strerror}")
        return
    for name in sorted(before.keys() | after.keys()):
        if name not in after:
            found.add("xattr", path, f"{readable(name)} is missing")
        elif name not in before:
            found.add("xattr", path, f"{readable(name)} is extra")
        elif before[name] != after[name]:
            found.add("xattr", path, f"{readable(name)} is {after[name].hex()}, was {before[name].hex()}")


def compare_links(found: Comparison) -> None:
    """Compare which names share one file: the groups must be the same on both sides."""
    group_of = [{path: group for group in side.values() for path in group} for side in found.names]
    same: set[tuple[int, int]] = set()  # pairs of groups known to be equal: a file may have 100 000 names
    for path in sorted(group_of[0].keys() & group_of[1].keys()):
        pair = (id(group_of[0][path]), id(group_of[1][path]))
        if pair in same:
            continue
        before, after = (set(side[path]) for side in group_of)
        if before == after:
            same.add(pair)
        else:
            lost, gained = (b", ".join(sorted(names)) for names in (before - after, after - before))
            found.add("links", path, f"no longer one file with [{readable(lost)}], now with [{readable(gained)}]")


# ----------------------------------------------------------------------------------------------------------------------
# Content and holes


def compare_content(found: Comparison, path: bytes, left: Side, right: Side) -> None:
    """Compare the bytes, the holes and the room taken of two regular files."""
    sizes = (left.stat.st_size, right.stat.st_size)
    if sizes[0] != sizes[1]:
        found.add("content", path, f"{sizes[0]} bytes became {sizes[1]}")
        return
    if not sizes[0]:
        return
    try:
        with left.reading() as left_file, right.reading() as right_file:
            extents = compare_holes(found, path, (left, left_file), (right, right_file))
            place = first_difference(left_file, right_file, extents)
    except OSError as error:
        found.add("unreadable", path, f"content: {error.strerror}")
        return
    if place is not None:
        found.add("content", path, f"bytes differ from {place} on")


def compare_holes(found: Comparison, path: bytes, left: tuple[Side, int], right: tuple[Side, int]) -> Extents:
    """Compare where two files of one size have holes; return the extents in which at least one has data."""
    size = left[0].stat.st_size
    taken = [side.stat.st_blocks * 512 for side, _ in (left, right)]
    if abs(taken[1] - taken[0]) > max(ROOM_BYTES, taken[0] // 16):
        found.add("sparse", path, f"takes {taken[1]} bytes on the disk, was {taken[0]}")
    block = max(4096, left[0].stat.st_blksize, right[0].stat.st_blksize)
    maps = [data_extents(file, size, block) for _, file in (left, right)]
    if maps[0] != maps[1]:
        here = min(set(maps[0]) ^ set(maps[1]))
        found.add("sparse", path, f"{len(maps[0])} extents of data became {len(maps[1])}; see {here[0]} to {here[1]}")
    return merged(sorted(maps[0] + maps[1]))


def data_extents(file: int, size: int, block: int) -> Extents:
    """List where a file has data, rounded outward to whole blocks."""
    extents: Extents = []
    place = 0
    while place < size:
        try:
            start = os.lseek(file, place, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                break
            raise
        place = os.lseek(file, start, os.SEEK_HOLE)
        extents.append((start // block * block, min(size, -(-place // block) * block)))
    return merged(extents)


def merged(extents: Extents) -> Extents:
    """Join sorted extents that touch or overlap."""
    joined: Extents = []
    for start, end in extents:
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def first_difference(left: int, right: int, extents: Extents) -> int | None:
    """Find the first differing byte of two files of one size within the given extents."""
    for start, end in extents:
        for place in range(start, end, PIECE):
            length = min(PIECE, end - place)
            before, after = os.pread(left, length, place), os.pread(right, length, place)
            if before != after:
                pairs = zip(before, after, strict=False)
                shorter = min(len(before), len(after))
                return place + next((at for at, (a, b) in enumerate(pairs) if a != b), shorter)
    return None


# ----------------------------------------------------------------------------------------------------------------------
# The program


def main(arguments: list[str]) -> int:
    """Compare as the command line says, print what was found, return the exit code."""
    options = parse(arguments)
    ignored = {kind for kind in KINDS if getattr(options, f"ignore_{kind}")} | (set() if options.atime else {"atime"})
    try:
        found = compare_trees(options.left, options.right, Comparison(frozenset(ignored), options.ignore_root))
    except OSError as error:
        print(f"compare_trees: {error}", file=sys.stderr)
        return 2
    if options.json:
        told = [{**vars(one), "path": readable(one.path)} for one in found.differences]
        summary = {"identical": not told, "compared": found.compared, "differences": told}
        print(json.dumps(summary, indent=1))
    else:
        for one in found.differences:
            print(one)
        print(f"{found.compared} paths compared, {len(found.differences)} differences", file=sys.stderr)
    return 1 if found.differences else 0


def parse(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Compare two folder trees and print every difference.")
    parser.add_argument("left", type=Path, help="the original")
    parser.add_argument("right", type=Path, help="the copy")
    for kind in KINDS:
        parser.add_argument(f"--ignore-{kind}", action="store_true", help=f"do not report '{kind}'")
    parser.add_argument(
        "--ignore-root", action="store_true", help="leave out the attributes of LEFT and RIGHT themselves"
    )
    parser.add_argument("--atime", action="store_true", help="compare access times too")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args(arguments)


@contextmanager
def opened(folder: str | Path) -> Iterator[int]:
    """Open a folder for as long as it is walked."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield handle
    finally:
        os.close(handle)


def raise_open_files() -> None:
    """Allow as many open files as the system grants: the walk holds two for each level of depth."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def readable(name: bytes) -> str:
    """Show any bytes on one line: text as it is, all else escaped."""
    text = name.decode("utf-8", "backslashreplace").replace("\n", "\\n")
    return "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
