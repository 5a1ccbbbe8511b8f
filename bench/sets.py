"""The data sets: what each is, how it is made at a given scale, and which peers would take too long with it.

They are measured in this order. What earlier sets left may have to be removed to have room for the next, and removing
many files slows the creation of others for a while; so the one set that leaves both much and many comes first, and the
two with very many files come last.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from strongroom.testing.file_trees import Made, office_tree, small_tree, tiny_tree, vm_tree

MIB = 1 << 20


@dataclass(frozen=True)
class DataSet:
    """One kind of data and its maker, or a folder that exists and is only read."""

    name: str
    about: str
    size_bytes: int = 0  # about, on the disk, at scale 1
    make: Callable[[Path, float], Made] | None = None
    existing: Path | None = None
    without: tuple[str, ...] = ()  # peers left out, and why
    because: str = ""


SETS = {
    one.name: one
    for one in (
        DataSet("usr", "the programs of this machine", 6000 * MIB, existing=Path("/usr")),
        DataSet(
            "office",
            "documents, packed documents, pictures, logs, some copies",
            2300 * MIB,
            lambda root, scale: office_tree(root, scaled(20_000, scale), scaled(2253 * 10**6, scale)),
        ),
        DataSet(
            "vm",
            "disk images, half of each repeated at odd distances",
            4096 * MIB,
            lambda root, scale: vm_tree(root, 4, scaled(4096 * MIB, scale)),
        ),
        DataSet(
            "small",
            "files of 0.5 to 8 KiB, mostly text",
            1300 * MIB,
            lambda root, scale: small_tree(root, scaled(200_000, scale)),
        ),
        DataSet(
            "tree1m",
            "files of at most 48 bytes",
            4500 * MIB,
            lambda root, scale: tiny_tree(root, scaled(1_000_000, scale)),
            without=("borg-zstd",),
            because="borg takes minutes for each pass over a million files, whatever it compresses with",
        ),
    )
}


def scaled(count: int, scale: float) -> int:
    """Scale a count, never to nothing."""
    return max(1, round(count * scale))


def count(root: Path) -> Made:
    """Count a folder that was made by someone else."""
    files, folders, size_bytes = 0, 0, 0
    for folder, _, names in os.walk(root):
        folders += 1
        files += len(names)
        size_bytes += sum(os.lstat(os.path.join(folder, name)).st_size for name in names)
    return Made(files, folders, size_bytes)
