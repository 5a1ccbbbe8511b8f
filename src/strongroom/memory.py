"""What the C library does with memory that is freed: keep it while a job runs, for the next parcel needs it again.

Why: parcels, their pieces and what is made of them are megabytes each and live for milliseconds. glibc would give such
memory back to the kernel each time and have it zeroed anew: a seventh of the server's CPU while it receives (measured).
And it would keep an arena for every thread, each with what its busiest moment needed: 40 MiB of the server's memory,
and of no use, for the large pieces are few and Python's own small ones do not come from there (measured).
"""

from __future__ import annotations

import ctypes
import gc
from typing import Final

_TRIM_THRESHOLD: Final = (-1, 256 << 20)
_TOP_PAD: Final = (-2, 16 << 20)
_MMAP_THRESHOLD: Final = (-3, 32 << 20)
_ARENA_MAX: Final = (-8, 1)
_YOUNG: Final = 50_000
"""So many more objects before Python looks for cycles among them; it would at 700."""


def keep_freed_memory() -> None:
    """Tell the C library so, before the first thread begins; only glibc can be told, others stay as they are."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for option, value in (_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD, _ARENA_MAX):
            mallopt(option, value)


def collect_seldom() -> None:
    """Have Python look for cycles of garbage less often, and never in what is here now; call it when all is imported.

    Entries, chunks and steps come by the ten thousand, make no cycles, and are gone a second later (ADR 66).
    """
    gc.freeze()
    gc.set_threshold(_YOUNG, *gc.get_threshold()[1:])


def give_back() -> None:
    """Give the kernel back what is free now, when the work is done that it was kept for."""
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if malloc_trim is not None:
        malloc_trim(0)
