"""A TLS socket that fills a large buffer in one call.

Why: TLS comes in records of 16 KiB, and the standard library goes through four functions of its own for each.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
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
        view, receive = memoryview(buffer), super().recv_into
        if nbytes is not None or flags or len(view) < LARGE_BYTES:
            return receive(buffer, nbytes, flags)
        filled = 0
        while filled < len(view) and (count := receive(view[filled:])):
            filled += count
        return filled
