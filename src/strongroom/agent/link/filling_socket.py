"""A TLS socket that fills a large buffer in one call.

Why: TLS comes in records of 16 KiB, and the standard library goes through four functions of its own for each; two do.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Buffer

LARGE_BYTES: Final = 64 << 10


class FillingSocket(ssl.SSLSocket):
    """Gives as much as a large buffer takes, or what there is up to the end; a small one is filled as ever.

    Whoever brings a large buffer wants all of it: `http.client` reads a body of known size like this, and nothing else.
    """

    def recv_into(self, buffer: Buffer, nbytes: int | None = None, flags: int = 0) -> int:
        """Receive into a buffer; return how many bytes came.

        Raises:
            OSError: the connection broke, or was silent for too long.
        """
        view = memoryview(buffer)
        size = len(view)
        if nbytes is not None or flags or size < LARGE_BYTES:
            return super().recv_into(buffer, nbytes, flags)
        read = cast("Callable[[int, memoryview], int]", self.read)  # given a buffer, it says how much came
        filled = 0
        while filled < size and (count := read(size - filled, view[filled:])):
            filled += count
        return filled
