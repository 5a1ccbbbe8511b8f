"""The choice of who reads small files: C on Linux, else plain Python; `strongroom.kernel` says why it is explicit."""

from __future__ import annotations

import sys

from strongroom.kernel import IMPLEMENTATION

__all__ = ["gather"]

if IMPLEMENTATION == "native" and sys.platform == "linux":
    from strongroom.kernel.gather import gather
else:
    from strongroom.kernel.gather_reference import gather
