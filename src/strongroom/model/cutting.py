"""How large the chunks of a large file are: a property of a vault, told to whoever cuts for it."""

from __future__ import annotations

from typing import Final

import msgspec

SMALLEST_BYTES: Final = 1 << 10
LARGEST_BYTES: Final = 4 << 20
"""No chunk may be larger."""


class Cutting(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Chunk sizes in bytes; they decide what deduplicates with what, so they never change in a vault.

    Decoding refuses sizes that nobody can cut by: an agent reads a file through a buffer, and a chunk that did not fit
    into it would look like the end of the file.
    """

    minimum: int
    average: int
    maximum: int

    def __post_init__(self) -> None:
        """Refuse sizes nobody can cut by.

        Raises:
            ValueError: the sizes are not in order, too small or too large, or the average is no power of two.
        """
        is_ordered = SMALLEST_BYTES <= self.minimum < self.average < self.maximum <= LARGEST_BYTES
        if not is_ordered or self.average & (self.average - 1):
            sizes = f"{self.minimum}, {self.average} and {self.maximum}"
            raise ValueError(f"Chunks cannot be cut by the sizes {sizes}.")


FIRST_CUTTING: Final = Cutting(256 << 10, 1 << 20, 4 << 20)
"""Of the first vaults, and of a server that does not tell."""
CUTTING: Final = Cutting(128 << 10, 512 << 10, 2 << 20)
"""Of new vaults (ADR 0060)."""
