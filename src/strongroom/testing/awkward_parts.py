"""The parts of the awkward test tree: each function fills one folder with one kind of oddity.

`file_trees.awkward_tree` calls them in the order of the table `PARTS`. A part raises OSError where the file system
or the user's rights do not allow what it makes.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
from collections.abc import Callable

from strongroom.testing.awkward_files import (
    FOLDER_FLAGS,
    OWNERS_FLAGS,
    encode_posix_acl,
    pattern,
    pieces,
    set_flag,
    write,
)

KIB = 1024
MIB = 1024 * KIB
NS = 1_000_000_000


def _plain(top: bytes) -> None:
    """Files around every boundary of size that the product has, and folders with nothing in them."""
    for size in (0, 1, 2 * KIB, 2 * KIB + 1, 256 * KIB - 1, 256 * KIB, 256 * KIB + 1, MIB, 5 * MIB + 3):
        write(top + b"/%d bytes" % size, pattern(size))
    write(top + b"/a copy of 1048576 bytes", pattern(MIB))
    os.makedirs(top + b"/empty/empty/empty")


def _symlinks(top: bytes) -> None:
    """Links to a file, a folder, nothing, itself, bytes that are no text, and the longest target there is."""
    write(top + b"/target", b"here\n")
    os.mkdir(top + b"/folder")
    targets = {
        b"relative": b"target",
        b"absolute": b"/etc/hostname",
        b"to a folder": b"folder/",
        b"dangling": b"nowhere/at all",
        b"itself": b"itself",
        b"upwards": b"../../../..",
        b"not text": b"caf\xe9\xff\xfe/\x01\n",
        b"the longest": b"x" * 4095,
    }
    for name, target in targets.items():
        os.symlink(target, top + b"/" + name)


def _hard_links(top: bytes) -> None:
    """One file, one symlink and one pipe, each with several names, across folders."""
    for folder in (b"/one", b"/two/deeper"):
        os.makedirs(top + folder)
    write(top + b"/one/first", pattern(300 * KIB))
    for name in (b"/one/second", b"/two/third", b"/two/deeper/fourth"):
        os.link(top + b"/one/first", top + name)
    os.symlink(b"first", top + b"/one/link")
    os.link(top + b"/one/link", top + b"/two/the same link", follow_symlinks=False)
    os.mkfifo(top + b"/one/pipe", 0o640)
    os.link(top + b"/one/pipe", top + b"/two/the same pipe")
    for name in (b"/one/empty", b"/two/not linked to empty"):
        write(top + name, b"")
    os.link(top + b"/one/empty", top + b"/two/the same empty")


def _pipes(top: bytes) -> None:
    """Named pipes with modes of their own."""
    os.mkfifo(top + b"/pipe", 0o600)
    os.mkfifo(top + b"/pipe for all", 0o600)
    os.chmod(top + b"/pipe for all", 0o666)


def _sockets(top: bytes) -> None:
    """Sockets that nobody listens at any more, one with two names."""
    os.mknod(top + b"/socket", stat.S_IFSOCK | 0o600)
    os.chmod(top + b"/socket", 0o777)
    os.link(top + b"/socket", top + b"/the same socket")


def _devices(top: bytes) -> None:
    """Character and block devices, one with numbers that need all their bits."""
    os.mknod(top + b"/null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    os.mknod(top + b"/loop", stat.S_IFBLK | 0o660, os.makedev(7, 200))
    os.mknod(top + b"/large numbers", stat.S_IFCHR | 0o600, os.makedev(0xABC, 0xFEDCB))


def _sparse(top: bytes) -> None:
    """Files with holes at the start, in the middle, at the end, everywhere, and by turns."""
    data, gap = pattern(64 * KIB), 8 * MIB
    pieces(top + b"/hole at the start", {gap: data}, gap + len(data))
    pieces(top + b"/hole in the middle", {0: data, gap: data}, gap + len(data))
    pieces(top + b"/hole at the end", {0: data}, gap)
    pieces(top + b"/nothing but a hole", {}, 1024 * MIB)
    pieces(top + b"/end not on a block", {4 * MIB: b"x"}, gap + 777)
    pieces(top + b"/by turns", dict.fromkeys(range(0, gap, 256 * KIB), data), gap)
    write(top + b"/zeros that were written", bytes(MIB))


def _attributes(top: bytes) -> None:
    """Extended attributes: empty, binary, large, many, with a name that is no text, on a folder."""
    write(top + b"/file", b"look behind me\n")
    for name, value in ((b"empty", b""), (b"binary", bytes(range(256))), (b"text", b"value"), (b"\xff\xfe", b"odd")):
        os.setxattr(top + b"/file", b"user." + name, value)
    write(top + b"/large", b"")
    os.setxattr(top + b"/large", b"user.large", pattern(3000))
    write(top + b"/many", b"")
    for number in range(40):
        os.setxattr(top + b"/many", b"user.number %d" % number, b"%d" % number)
    os.mkdir(top + b"/folder")
    os.setxattr(top + b"/folder", b"user.on a folder", b"yes")


def _privileged_attributes(top: bytes) -> None:
    """Attributes that only root sees or sets: trusted ones, also on links, pipes and devices, and a capability."""
    capability = struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0)  # cap_net_bind_service, effective
    write(top + b"/server", b"#!/bin/true\n", 0o755)
    os.setxattr(top + b"/server", b"security.capability", capability)
    os.setxattr(top + b"/server", b"trusted.note", b"root only")
    write(top + b"/somebody's server", b"#!/bin/true\n")
    os.chown(top + b"/somebody's server", 1234, 5678)  # takes both of the next away, so it comes first
    os.chmod(top + b"/somebody's server", 0o6755)
    os.setxattr(top + b"/somebody's server", b"security.capability", capability)
    os.symlink(b"server", top + b"/link")
    os.setxattr(top + b"/link", b"trusted.note", b"on the link itself", follow_symlinks=False)
    os.mkfifo(top + b"/pipe")
    os.setxattr(top + b"/pipe", b"trusted.note", b"on a pipe")


def _acls(top: bytes) -> None:
    """POSIX access lists on a file and on a folder, and a default list that children would inherit."""
    anyone = 0xFFFFFFFF
    owner, user, group, named_group, mask, other = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
    access = [(owner, 6, anyone), (user, 4, 1234), (user, 6, 70_000), (group, 4, anyone), (named_group, 7, 4321)]
    access += [(mask, 6, anyone), (other, 0, anyone)]
    default = [(owner, 7, anyone), (user, 5, 1234), (group, 5, anyone), (mask, 5, anyone), (other, 5, anyone)]
    write(top + b"/file", b"for a chosen few\n")
    os.setxattr(top + b"/file", b"system.posix_acl_access", encode_posix_acl(access))
    os.mkdir(top + b"/folder")
    os.setxattr(top + b"/folder", b"system.posix_acl_access", encode_posix_acl([(owner, 7, anyone), *access[1:]]))
    os.setxattr(top + b"/folder", b"system.posix_acl_default", encode_posix_acl(default))
    write(top + b"/folder/inherits", b"from my folder\n")
    os.mkdir(top + b"/folder/inherits too")


def _flags(top: bytes) -> None:
    """Inode flags that the owner may set: each that the file system has, on a file and on a folder of its own."""
    kept = [flag for flag in OWNERS_FLAGS if _has_flag(top, flag)]
    for flag in kept:
        name = top + b"/%#x" % flag
        if flag not in FOLDER_FLAGS:
            write(name, b"")
            set_flag(name, flag)  # some can be had while it is empty only
            write(name, pattern(300 * KIB))
        os.mkdir(name + b" on a folder")
        set_flag(name + b" on a folder", flag)
    if not kept:
        raise OSError(errno.EOPNOTSUPP, "this file system has no inode flags")


def _has_flag(top: bytes, flag: int) -> bool:
    """Try a flag on a folder, for some are had by folders only."""
    os.mkdir(top + b"/try")
    try:
        set_flag(top + b"/try", flag)
    except OSError:
        return False
    finally:
        os.rmdir(top + b"/try")
    return True


def _modes(top: bytes) -> None:
    """Every special bit, and a read-only folder with something in it."""
    for mode in (0o4755, 0o2755, 0o6711, 0o1644, 0o444, 0o7777, 0o200):
        if mode != 0o200 or os.geteuid() == 0:
            write(top + b"/%04o" % mode, b"mode\n", mode)
    for mode in (0o1777, 0o2775, 0o700):
        os.mkdir(top + b"/folder %04o" % mode)
        os.chmod(top + b"/folder %04o" % mode, mode)
    os.makedirs(top + b"/read-only/inner")
    write(top + b"/read-only/file", b"cannot be replaced\n", 0o400)
    os.chmod(top + b"/read-only/inner", 0o555)
    os.chmod(top + b"/read-only", 0o555)


def _closed(top: bytes) -> None:
    """A file and a folder that nobody may open."""
    write(top + b"/file", b"closed\n", 0o000)
    os.mkdir(top + b"/folder")
    write(top + b"/folder/inside", b"still closed\n")
    os.chmod(top + b"/folder", 0o000)


def _owners(top: bytes) -> None:
    """Owners and groups without a name, up to the largest number, on every type; setuid survives them."""
    for owner, group in ((1234, 5678), (65_534, 0), (0, 65_534), (100_000, 4_294_967_294), (4_294_967_294, 1)):
        name = top + b"/%d of %d" % (owner, group)
        write(name, b"owned\n")
        os.chown(name, owner, group)
        os.chmod(name, 0o4750)
    os.symlink(b"nowhere", top + b"/link")
    os.mkfifo(top + b"/pipe")
    os.mkdir(top + b"/folder")
    for name in (b"/link", b"/pipe", b"/folder"):
        os.chown(top + name, 4242, 2424, follow_symlinks=False)


def _times(top: bytes) -> None:
    """Times before 1970 and after 2106, with nanoseconds, on files, links, pipes and a folder that is not empty."""
    times = {
        b"1901": -(2**31) * NS,
        b"1969": -1,
        b"1970": 0,
        b"nanoseconds": 1_234_567_890_123_456_789,
        b"2038": 2**31 * NS + 999_999_999,
        b"2106": 2**32 * NS + 1,
        b"2446": 15_032_385_535 * NS,
    }
    for name, time_ns in times.items():
        write(top + b"/" + name, name)
        os.utime(top + b"/" + name, ns=(time_ns, time_ns))
    os.symlink(b"1901", top + b"/link")
    os.mkfifo(top + b"/pipe")
    os.mkdir(top + b"/folder")
    write(top + b"/folder/newer than its folder", b"")
    for name in (b"/link", b"/pipe", b"/folder"):
        os.utime(top + name, ns=(-86_400 * NS + 1, -86_400 * NS + 1), follow_symlinks=False)


def _names(top: bytes) -> None:
    """Names that break shells, terminals, lists and other systems, all of them valid UTF-8."""
    names = ["-rf", "--help", " leading", "trailing ", "new\nline", "tab\there", "carriage\rreturn", "escape \x1b[31m"]
    names += ["'single'", '"double"', "`back`", "back\\slash", "$HOME", "%s%n", "*", "?", "[a-z]", "~", "#", "a;b", "&"]
    names += [
        "\U0001f4be",
        "e\u0301 apart",
        "\u00e9 together",
        "\u202eright to left",
        "\u200b",
        "\ufeff",
        "\x7f",
        "\x01",
    ]
    names += ["case", "CASE", "CON", "aux.txt", "ends in a dot.", "a:b", ".hidden", "...", "\u2028", "\ufffd"]
    names += ["x" * 255, "\u00e4" * 127, "\U0001f600" * 63, "." + "y" * 254]
    for name in names:
        write(top + b"/" + name.encode(), name.encode())
    os.makedirs(top + b"/folder\nwith a newline/" + b"z" * 255)
    write(top + b"/folder\nwith a newline/" + b"z" * 255 + b"/-", b"deep down\n")


def _deep(top: bytes) -> None:
    """Two hundred folders, one in another: a path far longer than the system takes in one call."""
    handle = os.open(top, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for level in range(200):
            name = b"level %03d of a path that no single call can name" % level
            os.mkdir(name, dir_fd=handle)
            below = os.open(name, os.O_RDONLY | os.O_DIRECTORY, dir_fd=handle)
            os.close(handle)
            handle = below
            if level % 40 == 39:
                file = os.open(b"file", os.O_WRONLY | os.O_CREAT, 0o640, dir_fd=handle)
                os.write(file, b"at level %d\n" % level)
                os.close(file)
        os.symlink(b"../file", b"link", dir_fd=handle)
    finally:
        os.close(handle)


PARTS: tuple[tuple[str, Callable[[bytes], None], bool], ...] = (
    # folder and title, maker, needs root
    ("plain", _plain, False),
    ("symlinks", _symlinks, False),
    ("hard links", _hard_links, False),
    ("pipes", _pipes, False),
    ("sockets", _sockets, False),
    ("devices", _devices, True),
    ("sparse", _sparse, False),
    ("attributes", _attributes, False),
    ("privileged attributes", _privileged_attributes, True),
    ("access lists", _acls, False),
    ("flags", _flags, False),
    ("modes", _modes, False),
    ("closed", _closed, True),
    ("owners", _owners, True),
    ("times", _times, False),
    ("names", _names, False),
    ("deep", _deep, False),
)
