"""Test trees: one with everything awkward a file system can hold, one with names that are not UTF-8, and large ones.

A backup program earns trust on the odd cases: a hole in a file, a hard-linked pipe, a time before 1970, a path longer
than the system accepts. `awkward_tree` makes all of them, so that a test which backs it up and restores it needs
no list of its own. The large trees for speed and size are made by `bulk_trees` and offered here too.

As an ordinary user, or on a file system with fewer abilities, what cannot be made is left out and returned by name;
a test prints it rather than passing in silence.

Names that are not UTF-8 are a tree of their own: a backup skips and lists them unless told otherwise (rule W11).
So are immutable and append-only files: nothing can remove them, nor what they lie in, until `unlock_tree` was there.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from strongroom.testing.awkward_files import APPEND_ONLY, IMMUTABLE, encode_posix_acl, set_flag, unlock, write
from strongroom.testing.awkward_parts import PARTS
from strongroom.testing.bulk_trees import Made, change_share, office_tree, small_tree, tiny_tree, vm_tree

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "Made",
    "awkward_tree",
    "change_share",
    "encode_posix_acl",
    "locked_tree",
    "non_utf8_names",
    "office_tree",
    "small_tree",
    "tiny_tree",
    "unlock_tree",
    "vm_tree",
]


def awkward_tree(root: Path) -> list[str]:
    """Make a tree with every type of file and every awkward property; return what had to be left out, and why."""
    left_out: list[str] = []
    for title, make, needs_root in PARTS:
        folder = os.fsencode(root) + b"/" + title.encode()
        os.makedirs(folder)
        if needs_root and os.geteuid() != 0:
            left_out.append(f"{title}: only root can make or read these")
            continue
        try:
            make(folder)
        except OSError as error:
            left_out.append(f"{title}: {error.strerror}")
    return left_out


def locked_tree(root: Path) -> None:
    """Make files and folders that nobody may change, or only add to; one has names in several folders. Needs root."""
    top = os.fsencode(root)
    for folder in (b"/kept/inner", b"/growing"):
        os.makedirs(top + folder)
    for name in (b"/kept/file", b"/kept/inner/file", b"/growing/log", b"/plain", b"/sticky"):
        write(top + name, b"do not change me\n", 0o1644)
    os.link(top + b"/sticky", top + b"/growing/the same")
    os.link(top + b"/sticky", top + b"/kept/inner/the same")
    for name in (b"/growing/log", b"/growing"):
        set_flag(top + name, APPEND_ONLY)
    for name in (b"/kept/file", b"/sticky", b"/kept/inner", b"/kept"):
        set_flag(top + name, IMMUTABLE)


def unlock_tree(root: Path) -> None:
    """Make a folder and all below it changeable and removable again."""
    unlock(os.fsencode(root))
    for _, folders, files, handle in os.fwalk(os.fsencode(root)):
        for name in (*folders, *files):
            unlock(name, handle)


def non_utf8_names(root: Path) -> list[bytes]:
    """Make files, a folder and a link whose names are not UTF-8; return their paths below root, sorted.

    The file inside the folder has a fine name of its own, yet its path is not UTF-8, so it is among them.
    """
    top = os.fsencode(root)
    os.makedirs(top, exist_ok=True)
    plain = [b"caf\xe9.txt", b"\xff", b"overlong \xc0\xaf", b"surrogate \xed\xa0\x80", b"cut short \xe2\x82"]
    for name in plain:
        write(top + b"/" + name, b"the name is Latin-1 or worse\n")
    os.mkdir(top + b"/f\xf6lder")
    write(top + b"/f\xf6lder/inside.txt", b"my own name is fine\n")
    os.symlink(b"caf\xe9.txt", top + b"/l\xefnk")
    return sorted([*plain, b"f\xf6lder", b"f\xf6lder/inside.txt", b"l\xefnk"])
