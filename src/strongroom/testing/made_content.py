"""Made content for large test trees: text, noise and mixtures, deterministic by seed and quick to make.

Everything is cut from two pools made once: *text* (words drawn with a natural skew) and *noise* (bytes that do not
compress). Noise passes through a random substitution each time it is used, and text is cut into sentences, so no two
files share a run long enough for deduplication to find.
"""

from __future__ import annotations

import functools
import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

KIB = 1024
MIB = 1024 * KIB


class Supply:
    """Bytes on demand, deterministic by seed, from pools that are made once."""

    def __init__(self, seed: int) -> None:
        """Begin to draw; the pools are the same for every seed."""
        self.rng = random.Random(seed)
        self._text = _text_pool(8 * MIB)
        self._noise = _noise_pool(8 * MIB)
        self._substitutions = _substitutions(509)

    def noise(self, size: int) -> bytes:
        """Give bytes that no compressor shrinks."""
        pieces = []
        for length in _cut(size, 64 * KIB):
            start = int(self.rng.random() * (len(self._noise) - length))
            table = self._substitutions[int(self.rng.random() * len(self._substitutions))]
            pieces.append(self._noise[start : start + length].translate(table))
        return b"".join(pieces)

    def text(self, size: int) -> bytes:
        """Give sentences in an order never seen before; they shrink to about a third."""
        pool, draw, room = self._text, self.rng.random, len(self._text) - 400
        pieces = []
        while size > 0:
            start = int(draw() * room)
            piece = pool[start : start + min(size, 80 + start % 320)]
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)

    def mixed(self, size: int, text_share: float) -> bytes:
        """Give text and noise by turns of a few hundred bytes, as documents with binary parts have."""
        if size < 64:
            return self.text(size)
        turn = 900
        words, grain = int(turn * text_share), turn - int(turn * text_share)
        text, noise = self.text(size), self.noise(size * grain // turn + turn)
        pieces = []
        for number, start in enumerate(range(0, size, turn)):
            pieces.append(text[start : start + words])
            pieces.append(noise[number * grain : (number + 1) * grain])
        return b"".join(pieces)[:size]


@functools.cache
def _noise_pool(size: int) -> bytes:
    """Draw bytes that do not compress."""
    return random.Random(1).randbytes(size)


@functools.cache
def _substitutions(count: int) -> list[bytes]:
    """Draw permutations of all bytes: each makes new noise of the old."""
    rng = random.Random(2)
    return [bytes(rng.sample(range(256), 256)) for _ in range(count)]


@functools.cache
def _text_pool(size: int) -> bytes:
    """Write text with words drawn by Zipf's law from a made-up vocabulary, with numbers, punctuation and lines."""
    rng = random.Random(3)
    letters = "eeeeeetttttaaaaooooiiiinnnnsssshhhrrrdddlllcuummwfgypbvk"
    words = ["".join(rng.choices(letters, k=rng.randint(2, 11))) for _ in range(12_000)]
    weights = [1 / (rank + 3) for rank in range(len(words))]
    pieces: list[str] = []
    while size > 0:
        for word in rng.choices(words, weights, k=2000):
            luck = rng.random()
            ending = " " if luck < 0.86 else ", " if luck < 0.93 else ".\n" if luck < 0.97 else f" {luck * 1e7:.0f} "
            pieces.append(word + ending)
            size -= len(word) + len(ending)
    return "".join(pieces).encode()


def _cut(size: int, most: int) -> Iterator[int]:
    """Yield lengths of at most `most` that add up to `size`."""
    while size > 0:
        yield min(size, most)
        size -= most
