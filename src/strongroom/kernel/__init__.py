"""The hot loops: where the bytes of every backup pass through.

Each function here exists twice.
`reference.py` is the definition: plain Python, short enough to be checked by eye, far too slow for work.
`native` is C behind a thin Cython module, gives back the interpreter lock over a whole batch, and must answer bit for
bit as the reference does; tests/property holds the two against each other on arbitrary data.

A boundary decides what deduplicates with what, and a position decides which bytes a restore reads.
That is why nothing falls back in silence: the environment variable STRONGROOM_KERNEL names the implementation
(`native`, the default, or `reference`), and a wish that cannot be granted stops the program here.

The functions take any contiguous buffer, hold it only for the call, keep no state and may run in many threads at once.
Malformed arguments raise ValueError before any work is done.

Absent on purpose: compression and encryption (their libraries are fast enough), the hashing of one long input
(likewise; here are many short ones, ADR 45), and any knowledge of files, packs or the wire.
"""

from __future__ import annotations

import os
import sys
from typing import Final

from strongroom.kernel.gear import gear_table

__all__ = [
    "IMPLEMENTATION",
    "copy_to",
    "cut",
    "digests",
    "fill_found",
    "gear_table",
    "join",
    "list_names",
    "look",
    "lookup",
    "pick",
    "shift",
    "sort_ids",
]

# The one place outside settings that reads the environment: settings is a neighbour, which the kernel may not see, and
# the choice has to be made before anything else is imported.
IMPLEMENTATION: Final = os.environ.get("STRONGROOM_KERNEL") or "native"

if IMPLEMENTATION == "native":
    try:
        from strongroom.kernel.digest import digests
        from strongroom.kernel.join import join
        from strongroom.kernel.merge import pick, shift
        from strongroom.kernel.native import copy_to, cut, fill_found, lookup, sort_ids

        if sys.platform == "linux":  # its system calls; other systems walk in Python
            from strongroom.kernel.walk import list_names, look
        else:
            from strongroom.kernel.walk_reference import list_names, look
    except ImportError as error:
        message = (
            "Strongroom's compiled kernel is missing or was built for another Python. Install the package again with a "
            "C compiler present; STRONGROOM_KERNEL=reference runs without it, a hundred times slower."
        )
        raise ImportError(message) from error
elif IMPLEMENTATION == "reference":
    from strongroom.kernel.digest_reference import digests
    from strongroom.kernel.join_reference import join
    from strongroom.kernel.merge_reference import pick, shift
    from strongroom.kernel.reference import copy_to, cut, fill_found, lookup, sort_ids
    from strongroom.kernel.walk_reference import list_names, look
else:
    message = f"STRONGROOM_KERNEL is {IMPLEMENTATION!r}; it may be 'native' or 'reference'."
    raise ImportError(message)
