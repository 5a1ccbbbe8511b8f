"""The machine without any backup system: what the very data costs to list, read and write, and how fast its cores are.

Listing, reading and creating are done by the small C programs in `bare/`, compiled when they are needed: one thread,
data in memory. They are limits of one thread; two may do better. The speeds are those of the libraries that Strongroom
uses, on one core, on a sample of the data in pieces of 1 MiB.
"""

from __future__ import annotations

import hashlib
import os
import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import zstandard
from blake3 import blake3
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bench.fetch import run

SOURCES = Path(__file__).with_name("bare")
PROGRAMS = ("walk", "read", "create")
WALKS = 3
MIB = 1 << 20
SAMPLE_BYTES = 64 * MIB


@dataclass
class Limits:
    """What the bare machine did with one data set: seconds of each program, and bytes a second of each library."""

    entries: int = 0
    files: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    speeds: dict[str, float] = field(default_factory=dict)
    shrunk_to: dict[str, float] = field(default_factory=dict)  # share that is left after compression


class Bare:
    """The bare machine, as far as it is measured with one data set."""

    def __init__(self, data: Path, work: Path) -> None:
        """Compile the programs into a folder.

        Raises:
            NotToBeHad: there is no C compiler, or it failed.
        """
        self.limits = Limits()
        self._data, self._work = data, work
        work.mkdir(parents=True)
        for name in PROGRAMS:
            run(["cc", "-O2", "-o", str(work / name), str(SOURCES / f"{name}.c")], work, dict(os.environ))

    def read(self) -> None:
        """Read every file, which lie in memory since the data was warmed."""
        self.warm(self._data)
        self.limits.files, self.limits.seconds["read"] = self._run("read", self._data)

    def walk(self) -> None:
        """List everything and look at every entry, a few times; the middle one counts."""
        runs = sorted(self._run("walk", self._data) for _ in range(WALKS))
        self.limits.entries, self.limits.seconds["walk"] = runs[0][0], statistics.median(one[1] for one in runs)

    def create(self, target: Path) -> None:
        """Make the same folders and files, with their sizes, in an empty folder."""
        target.mkdir()
        _, self.limits.seconds["create"] = self._run("create", self._data, target)

    def warm(self, folder: Path) -> None:
        """Bring a folder into memory: every folder, every attribute, every file."""
        self._run("walk", folder)
        self._run("read", folder)

    def measure_speeds(self) -> None:
        """Measure the libraries on a sample of the data."""
        pieces = sample(self._data)
        total = sum(map(len, pieces))
        cipher = AESGCM(bytes(32))
        scratch = bytearray(MIB)
        works: dict[str, Callable[[bytes], object]] = {
            "memcpy": lambda piece: scratch.__setitem__(slice(0, len(piece)), piece),
            "BLAKE3": lambda piece: blake3(piece).digest(),
            "SHA-256": lambda piece: hashlib.sha256(piece).digest(),
            "AES-256-GCM": lambda piece: cipher.encrypt(bytes(12), piece, None),
        }
        for level in (1, 3):
            compressor = zstandard.ZstdCompressor(level=level)
            works[f"zstd {level}"] = compressor.compress
            self.limits.shrunk_to[f"zstd {level}"] = sum(len(compressor.compress(piece)) for piece in pieces) / total
        for name, work in works.items():
            began = time.perf_counter()
            for piece in pieces:
                work(piece)
            self.limits.speeds[name] = total / (time.perf_counter() - began)

    def _run(self, name: str, *arguments: Path) -> tuple[int, float]:
        """Run one program; give its count and its seconds."""
        command = [self._work / name, *arguments]
        said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
        count, seconds = said.split()
        return int(count), float(seconds)


def sample(data: Path) -> list[bytes]:
    """Take bytes from the middle of files all over the data, joined and cut into pieces of 1 MiB."""
    paths = [os.path.join(folder, name) for folder, _, names in os.walk(data) for name in names]
    paths = [path for path in paths if os.path.isfile(path) and not os.path.islink(path)]
    most = max(MIB, SAMPLE_BYTES // max(1, len(paths)))
    sizes = [min(os.stat(path).st_size, most) for path in paths]
    taken = bytearray()
    for path in paths[:: max(1, sum(sizes) // SAMPLE_BYTES)]:
        with open(path, "rb", buffering=0) as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - most) // 2)
            taken += file.read(most)
    return [bytes(taken[start : start + MIB]) for start in range(0, len(taken), MIB)] or [bytes(MIB)]
