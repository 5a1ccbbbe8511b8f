"""A snapshot taken of a folder by the plainest means, served from memory; and a plain look at what a folder holds.

Neither uses the code that backs up or restores, so that a mistake cannot hide on both sides.
"""

import fcntl
import hashlib
import os
import stat
import sys

from strongroom.engine.format.block import Block, BlockKind, Method, encode_block
from strongroom.engine.format.ids import chunk_id
from strongroom.engine.format.tree import decode_node, encode_leaf, encode_list, leaf_entries
from strongroom.model.entry import Entry, EntryType, Stat
from strongroom.protocol.messages import ListedFolder

KEY = b"k" * 32
CUT = b"c" * 32
CHUNK = 64 << 10
PART = 1000
_TYPES = {
    stat.S_IFREG: EntryType.FILE,
    stat.S_IFDIR: EntryType.FOLDER,
    stat.S_IFLNK: EntryType.SYMLINK,
    stat.S_IFIFO: EntryType.FIFO,
    stat.S_IFCHR: EntryType.CHAR_DEVICE,
    stat.S_IFBLK: EntryType.BLOCK_DEVICE,
    stat.S_IFSOCK: EntryType.SOCKET,
}


class TakenSnapshot:
    """A snapshot in memory that is a restore's source too."""

    def __init__(self, *, lists=False):
        self.chunks = {}
        self.folders = []
        self.asked = []
        self.spoiled = set()
        self.lists = lists

    def take(self, folder, at=b""):
        """Add a folder's tree, seen from the snapshot's path `at`."""
        leaf = []
        for name in sorted(os.listdir(os.fsencode(folder))):
            path = os.path.join(os.fsencode(folder), name)
            if os.path.isdir(path) and not os.path.islink(path):
                self.take(path, at + b"/" + name if at else name)
            leaf.append(self.entry(path, name))
        self.list(at, leaf)
        return self

    def list(self, at, leaf):
        for start in range(0, len(leaf) or 1, PART):
            self.folders.append(ListedFolder(at, encode_leaf(leaf[start : start + PART])))

    def lead(self, *parts):
        """Add the folders that lead to what was taken, from the deepest up; their own mode is 0750."""
        for depth in range(len(parts) - 1, -1, -1):
            seen = Stat(parts[depth], EntryType.FOLDER, 0o750, os.getuid(), os.getgid(), 0, 10**18, 0, 5)
            self.list(b"/".join(parts[:depth]), [Entry(seen, subtree=b"f" * 32)])
        return self

    def entry(self, path, name):
        seen = os.lstat(path)
        kind = _TYPES[stat.S_IFMT(seen.st_mode)]
        nlink = 1 if kind is EntryType.FOLDER else seen.st_nlink
        kept = Stat(
            name=name,
            type=kind,
            mode=stat.S_IMODE(seen.st_mode),
            uid=seen.st_uid,
            gid=seen.st_gid,
            size=seen.st_size if kind is EntryType.FILE else 0,
            mtime_ns=seen.st_mtime_ns,
            ctime_ns=seen.st_ctime_ns,
            inode=seen.st_ino,
            nlink=nlink,
            device=seen.st_dev if nlink > 1 else 0,
            rdev=seen.st_rdev,
        )
        xattrs = tuple((os.fsencode(n), os.getxattr(path, n, follow_symlinks=False)) for n in _attributes(path))
        flags = flags_of(path) if kind in {EntryType.FOLDER, EntryType.FILE} else 0
        if kind is EntryType.FOLDER:
            return Entry(kept, xattrs=xattrs, subtree=b"f" * 32, flags=flags)
        if kind is EntryType.SYMLINK:
            return Entry(kept, target=os.readlink(path), xattrs=xattrs)
        if kind is not EntryType.FILE:
            return Entry(kept, xattrs=xattrs)
        extents = data_ranges(path)
        content, depth = self.content(path, extents)
        return Entry(kept, xattrs=xattrs, extents=extents, content=content, depth=depth, flags=flags)

    def content(self, path, extents):
        with open(path, "rb") as file:
            data = file.read()
        if extents is not None:
            data = b"".join(data[offset : offset + length] for offset, length in extents)
        pieces = [data[at : at + CHUNK] for at in range(0, len(data), CHUNK)]
        ids = [self.keep(piece) for piece in pieces]
        if not self.lists or len(ids) < 4:
            return tuple(ids), 0
        halves = [(ids[:2], pieces[:2]), (ids[2:], pieces[2:])]
        nodes = [self.keep(encode_list(some, [len(p) for p in parts], 0)) for some, parts in halves]
        top = self.keep(encode_list(nodes, [sum(map(len, parts)) for _, parts in halves], 1))
        return (top,), 2

    def keep(self, data):
        one = chunk_id(KEY, data)
        self.chunks[one] = data
        return one

    def all_ids(self, path):
        """Return the ids of a file, by its path in the snapshot."""
        folder, _, name = os.fsencode(path).rpartition(b"/")
        for listed in self.folders:
            if listed.path == folder:
                for entry in leaf_entries(decode_node(listed.node)):
                    if entry.name == name:
                        return entry.content
        raise KeyError(path)

    def entry_ids(self, path):
        """Return the one id of a small file."""
        (one,) = self.all_ids(path)
        return one

    def listing(self):
        yield from self.folders

    def blocks(self, ids, room=0):
        self.asked.append(list(ids))
        for start in range(0, len(ids), 8):
            some = [one for one in ids[start : start + 8] if one not in self.spoiled]
            if some:
                data = [self.chunks[one] for one in some]
                yield encode_block(
                    Block(BlockKind.DATA, Method.STORED, tuple(some), tuple(map(len, data)), b"".join(data))
                )


def look_at(folder):
    """Say everything about a folder that a restore should bring back, path by path."""
    seen, groups = {}, {}
    top = os.fsencode(folder)
    for path in _walk(top):
        info = os.lstat(path)
        relative = os.path.relpath(path, top)
        kind = stat.S_IFMT(info.st_mode)
        about = [kind, stat.S_IMODE(info.st_mode), info.st_uid, info.st_gid, info.st_mtime_ns, info.st_rdev]
        about.append({n: os.getxattr(path, n, follow_symlinks=False) for n in _attributes(path)})
        if kind == stat.S_IFREG:
            with open(path, "rb") as file:
                about += [hashlib.sha256(file.read()).hexdigest(), data_ranges(path), flags_of(path)]
        if kind == stat.S_IFDIR:
            about.append(flags_of(path))
        if kind == stat.S_IFLNK:
            about.append(os.readlink(path))
        if kind != stat.S_IFDIR and info.st_nlink > 1:
            groups.setdefault((info.st_dev, info.st_ino), set()).add(relative)
        seen[relative] = about
    return seen, sorted(sorted(group) for group in groups.values())


def data_ranges(path):
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        ranges, at = [], 0
        while at < size:
            try:
                start = os.lseek(file.fileno(), at, os.SEEK_DATA)
            except OSError:
                break
            at = os.lseek(file.fileno(), start, os.SEEK_HOLE)
            ranges.append((start, at - start))
    return None if ranges in ([(0, size)], []) and (ranges or not size) else tuple(ranges)


def flags_of(path):
    """Return the inode flags that `chattr` sets; those that say how a file is stored are left out."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except PermissionError:
        return 0
    try:
        return int.from_bytes(fcntl.ioctl(handle, 0x80086601, bytes(8))[:4], sys.byteorder) & 0x6283C4FF
    except OSError:
        return 0
    finally:
        os.close(handle)


def _attributes(path):
    return sorted(os.listxattr(path, follow_symlinks=False))


def _walk(top):
    for folder, subfolders, files in os.walk(top):
        for name in subfolders + files:
            yield os.path.join(folder, name)
