"""Large test trees in a hurry: many small files, an office share, disk images, a million tiny files.

The benchmark and the tests of size need realistic data that is the same on every machine and costs little to make.
Content comes from `made_content`; duplicates exist only where a maker here plants them.

The same arguments always give the same names, sizes and bytes. Times are those of the making.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from strongroom.testing.made_content import KIB, MIB, Supply

if TYPE_CHECKING:
    from pathlib import Path

OFFICE_COPIES = 0.08
OFFICE_EDITED_COPIES = 0.05


@dataclass(frozen=True)
class Made:
    """What a maker put on the disk."""

    files: int
    folders: int
    size_bytes: int


def small_tree(root: Path, files: int = 200_000, seed: int = 1) -> Made:
    """Make many files of 0.5 to 8 KiB, nine of ten text-like, in folders of very different sizes."""
    supply = Supply(seed)
    rng = supply.rng

    def content(_name: str) -> bytes:
        size = rng.randint(KIB // 2, 8 * KIB)
        return supply.noise(size) if rng.random() < 0.1 else supply.mixed(size, 0.92)

    return _fill(root, _folders(rng, files, mean=40), ("txt", "xml", "eml", "json", "png"), content)


def office_tree(root: Path, files: int = 20_000, total_bytes: int = 2253 * MIB // 1000 * 1000, seed: int = 1) -> Made:
    """Make a department's share: documents, packed documents and pictures, logs, a few copies, log-normal sizes."""
    supply = Supply(seed)
    rng = supply.rng
    sizes = [rng.lognormvariate(0, 1.9) for _ in range(files)]
    scale = total_bytes / sum(sizes)
    left = iter([min(max(64, int(size * scale)), max(MIB, total_bytes // 16)) for size in sizes])
    recent: list[bytes] = []

    def content(name: str) -> bytes:
        size = next(left)
        if recent and rng.random() < OFFICE_COPIES:
            return rng.choice(recent)
        if recent and rng.random() < OFFICE_EDITED_COPIES:
            return _edited(rng.choice(recent), supply)
        made = _document(name, size, supply)
        _remember(recent, made, rng)
        return made

    return _fill(root, _folders(rng, files, mean=18), tuple(OFFICE_KINDS), content)


def vm_tree(root: Path, files: int = 4, total_bytes: int = 4096 * MIB, seed: int = 1) -> Made:
    """Make disk images: the first is new, the others repeat half of it moved by odd distances, among new data."""
    supply = Supply(seed)
    root.mkdir(parents=True, exist_ok=True)
    each = total_bytes // files
    first = root / "image-0.raw"
    for number in range(files):
        with (root / f"image-{number}.raw").open("wb", buffering=0) as image:
            for run in _image_runs(each, first if number else None, supply):
                image.write(run)
    return Made(files, 1, each * files)


def tiny_tree(root: Path, files: int = 1_000_000, seed: int = 1) -> Made:
    """Make very many files of at most 48 bytes: all cost is per file."""
    rng = random.Random(seed)

    def content(name: str) -> bytes:
        return (b"%s %016x %016x\n" % (name.encode(), rng.getrandbits(64), rng.getrandbits(64)))[: rng.randint(8, 48)]

    return _fill(root, _folders(rng, files, mean=120), ("txt", "dat"), content)


def change_share(root: Path, share: float = 0.01, seed: int = 1) -> int:
    """Change this share of a tree: whole files when there are many, 64 KiB pieces within them when they are few.

    Returns the number of files changed. A changed file keeps its size, as a saved document often nearly does.
    """
    supply = Supply(seed + 7919)
    paths = sorted(os.path.join(folder, name) for folder, _, names in os.walk(root) for name in names)
    if len(paths) < 1 / share:
        for path in paths:
            _rewrite_pieces(path, share, supply)
        return len(paths)
    chosen = supply.rng.sample(paths, max(1, round(len(paths) * share)))
    for path in chosen:
        size = os.stat(path).st_size
        with open(path, "r+b", buffering=0) as file:
            file.write(supply.mixed(size, 0.6))
    return len(chosen)


# ----------------------------------------------------------------------------------------------------------------------
# Content


OFFICE_KINDS: dict[str, tuple[str, float]] = {
    # extension: (what it is made of, share of text when mixed)
    "docx": ("noise", 0),
    "jpg": ("noise", 0),
    "pdf": ("mixed", 0.5),
    "doc": ("mixed", 0.9),
    "xls": ("mixed", 0.95),
    "html": ("text", 1),
    "csv": ("text", 1),
    "txt": ("text", 1),
    "log": ("text", 1),
    "dwg": ("mixed", 0.7),
}


def _document(name: str, size: int, supply: Supply) -> bytes:
    """Make one document of the kind that its extension promises."""
    kind, text_share = OFFICE_KINDS[name.rpartition(".")[2]]
    if kind == "mixed":
        return supply.mixed(size, text_share)
    return supply.noise(size) if kind == "noise" else supply.text(size)


def _edited(original: bytes, supply: Supply) -> bytes:
    """Put a sentence into a copy, so that everything behind it moves."""
    place = int(supply.rng.random() * len(original))
    return original[:place] + supply.text(supply.rng.randint(10, 300)) + original[place:]


def _remember(recent: list[bytes], made: bytes, rng: random.Random) -> None:
    """Keep up to 64 documents at hand for the copies, none of them huge."""
    if len(made) > 4 * MIB:
        return
    if len(recent) < 64:
        recent.append(made)
    else:
        recent[int(rng.random() * 64)] = made


def _image_runs(size: int, first: Path | None, supply: Supply) -> Iterator[bytes]:
    """Yield the runs of one disk image; with `first`, half of them come from there, from unaligned places."""
    rng = supply.rng
    while size > 0:
        length = min(size, int(64 * KIB * 2 ** (rng.random() * 7)))
        luck = rng.random()
        if first is not None and luck < 0.5:
            with first.open("rb", buffering=0) as source:
                source.seek(int(rng.random() * max(1, first.stat().st_size - length)))
                run = source.read(length)
        elif luck > 0.9:
            run = bytes(length)
        else:
            run = supply.noise(length) if luck > 0.75 else supply.mixed(length, 0.2 + luck)
        size -= len(run)
        yield run


def _rewrite_pieces(path: str, share: float, supply: Supply) -> None:
    """Overwrite this share of a file in pieces of 64 KiB spread over it."""
    piece = 64 * KIB
    with open(path, "r+b", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        for _ in range(max(1, round(size * share / piece))):
            place = int(supply.rng.random() * max(1, size - piece)) // 4096 * 4096
            file.seek(place)
            file.write(supply.mixed(min(piece, size - place), 0.6))


# ----------------------------------------------------------------------------------------------------------------------
# Folders and files


def _folders(rng: random.Random, files: int, mean: int) -> list[tuple[str, int]]:
    """Plan folders three deep, like department/project/year, and how many files each holds: a few hold very many."""
    count = max(1, files // mean)
    weights = [rng.lognormvariate(0, 1.2) for _ in range(count)]
    scale = files / sum(weights)
    held = [int(weight * scale) for weight in weights]
    held[0] += files - sum(held)
    plan = []
    for number, holds in enumerate(held):
        project = number // 5
        plan.append((f"department {project // 12:03d}/project {project:05d}/{2019 + number % 5}-{number:06d}", holds))
    return plan


def _fill(root: Path, plan: list[tuple[str, int]], kinds: tuple[str, ...], content: Callable[[str], bytes]) -> Made:
    """Make the planned folders and put files into them, through one handle per folder."""
    files, total = 0, 0
    seen = {""}
    for folder, holds in plan:
        os.makedirs(root / folder, exist_ok=True)
        seen.update(folder.rsplit("/", up)[0] for up in range(folder.count("/") + 1))
        handle = os.open(root / folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for _ in range(holds):
                name = f"{files:07d} {NAMES[files % len(NAMES)]}.{kinds[files * 7 % len(kinds)]}"
                files += 1
                data = content(name)
                total += len(data)
                _write(name, data, handle)
        finally:
            os.close(handle)
    return Made(files, len(seen), total)


NAMES = (
    "minutes",
    "offer",
    "Invoice",
    "drawing",
    "photo",
    "plan",
    "letter to customer",
    "budget",
    "übersicht",
    "notes",
)


def _write(name: str, data: bytes, folder: int) -> None:
    """Write one new file."""
    file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644, dir_fd=folder)
    try:
        if data:
            os.write(file, data)
    finally:
        os.close(file)
