"""The data sets: what each is, how it is made at a given scale, and how it is read once so that it lies in memory."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from strongroom.testing.file_trees import Made, office_tree, small_tree, tiny_tree, vm_tree

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1 << 20


@dataclass(frozen=True)
class DataSet:
    """One kind of data and its maker, or a folder that exists and is only read."""

    name: str
    about: str
    make: Callable[[Path, float], Made] | None = None
    existing: Path | None = None


SETS = {
    one.name: one
    for one in (
        DataSet(
            "office",
            "20 000 files, 2.1 GiB: documents, packed documents, pictures, logs, some copies",
            lambda root, scale: office_tree(root, scaled(20_000, scale), scaled(2253 * 10**6, scale)),
        ),
        DataSet(
            "small",
            "200 000 files of 0.5 to 8 KiB, mostly text",
            lambda root, scale: small_tree(root, scaled(200_000, scale)),
        ),
        DataSet(
            "vm",
            "4 disk images, 4 GiB, half of it repeated at odd distances",
            lambda root, scale: vm_tree(root, 4, scaled(4096 * MIB, scale)),
        ),
        DataSet(
            "tree1m",
            "1 000 000 files of at most 48 bytes",
            lambda root, scale: tiny_tree(root, scaled(1_000_000, scale)),
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


def read_all(root: Path) -> None:
    """Read every file once, so that whoever comes first finds the data in memory like everyone after."""
    buffer = bytearray(MIB)
    for folder, _, names in os.walk(root):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.isfile(path) and not os.path.islink(path):
                with open(path, "rb", buffering=0) as file:
                    while file.readinto(buffer):
                        pass
