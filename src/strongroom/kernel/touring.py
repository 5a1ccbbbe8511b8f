"""The choice of who looks into whole folders: C on Linux, else plain Python; `strongroom.kernel` says why it is so."""

from __future__ import annotations

import sys

from strongroom.kernel import IMPLEMENTATION

__all__ = ["pass_known", "skip", "tour"]

if IMPLEMENTATION == "native" and sys.platform == "linux":
    from strongroom.kernel.tour import pass_known, skip, tour
else:
    from strongroom.kernel.pass_reference import pass_known, skip
    from strongroom.kernel.tour_reference import tour
