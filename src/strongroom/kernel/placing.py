"""The choice of who makes small files: C on Linux, else plain Python; `strongroom.kernel` says why it is explicit."""

from __future__ import annotations

import sys

from strongroom.kernel import IMPLEMENTATION

__all__ = ["place"]

if IMPLEMENTATION == "native" and sys.platform == "linux":
    from strongroom.kernel.place import place
else:
    from strongroom.kernel.place_reference import place
