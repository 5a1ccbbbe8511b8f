"""What the C library does with memory that is freed: keep it, for the next parcel needs it again.

Why: parcels, their pieces and what is made of them are megabytes each and live for milliseconds. glibc would give such
memory back to the kernel each time and have it zeroed anew: a seventh of the server's CPU while it receives (measured).
"""

from __future__ import annotations

import ctypes
from typing import Final

_TRIM_THRESHOLD: Final = (-1, 256 << 20)
_TOP_PAD: Final = (-2, 16 << 20)
_MMAP_THRESHOLD: Final = (-3, 32 << 20)


def keep_freed_memory() -> None:
    """Tell the C library so; one that cannot be told (only glibc can) is left as it is."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for option, value in (_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD):
            mallopt(option, value)
