"""How much the connection carries, as the bodies that come over it show.

Why: a server that knows this need not compress what it makes anew for a restore over a swift network (ADR 68).
Does not: see who else uses the network, or how far it could go; the best of the last bodies has to do. What had arrived
before it was read counts as swift, and rightly: then it is not the network that is waited for.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from strongroom import clock

if TYPE_CHECKING:
    from collections.abc import Callable

TELLING_BYTES: Final = 64 << 10
"""A smaller body says nothing: it comes with the packets before it."""
REMEMBERED: Final = 16


class LinkSpeed:
    """Times what is read from a connection, or from several to the same server. Safe to use from several threads."""

    def __init__(self) -> None:
        """Begin without knowing anything."""
        self._last: deque[int] = deque(maxlen=REMEMBERED)

    @property
    def mb_s(self) -> int:
        """The speed in 10^6 bytes a second; 0 while it is not known."""
        return max(self._last.copy(), default=0)

    def timed(self, read: Callable[[int], bytes]) -> Callable[[int], bytes]:
        """Return a function that reads as many bytes, and notes how long that took."""

        def timed_read(size_bytes: int) -> bytes:
            began = clock.monotonic_s()
            data = read(size_bytes)
            if len(data) >= TELLING_BYTES:
                self._last.append(int(len(data) / max(clock.monotonic_s() - began, 1e-6) / 1e6))
            return data

        return timed_read
