"""The one connection of a command to its server: HTTPS, kept open from question to question.

Why: the standard library's client starts in a third of the time that a pool of connections takes to be imported, and a
command asks one server one thing at a time.
Promises: a question that may be repeated is asked up to three times when the line breaks or the server is busy; one
that may not is asked again only if nothing of it was sent. No redirect is followed.
Does not: say what went wrong in our words; the caller does.
"""

from __future__ import annotations

import http.client
import select
import ssl
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from strongroom import clock

if TYPE_CHECKING:
    from collections.abc import Mapping

CONNECT_S: Final = 10.0
ANSWER_S: Final = 3600.0
PAUSES_S: Final = (0.0, 1.0)
"""Before each repetition, unless the server says how long it wants to be left alone."""
_BUSY: Final = frozenset({429, 503})


class Connection:
    """See the module's docstring. Not for use from several threads at once."""

    def __init__(self, url: str, context: ssl.SSLContext) -> None:
        """Prepare; nothing is sent before the first question.

        Raises:
            ValueError: the address cannot be.
        """
        at = urlsplit(url)
        if not at.hostname:
            raise ValueError("It names no host.")
        self._folder = at.path
        self._line = _Line(at.hostname, at.port, timeout=CONNECT_S, context=context)

    def ask(
        self, method: str, path: str, *, body: bytes | None, headers: Mapping[str, str], repeats: bool
    ) -> tuple[int, bytes]:
        """Return the status and the body of the answer.

        Args:
            repeats: it does no harm to ask a second time.

        Raises:
            OSError, http.client.HTTPException, UnicodeError: there is no answer.
        """
        for pause_s in PAUSES_S:
            is_sent = False
            try:
                self._connect()
                is_sent = True
                status, wait_s, answer = self._question(method, path, body, headers)
            except (OSError, http.client.HTTPException) as error:
                if isinstance(error, ssl.SSLCertVerificationError) or (is_sent and not repeats):
                    raise
                wait_s = pause_s
            else:
                if not (wait_s and repeats):
                    return status, answer
            clock.wait_s(wait_s)
        self._connect()
        status, _, answer = self._question(method, path, body, headers)
        return status, answer

    def _connect(self) -> None:
        """Connect, unless the line stands."""
        line = self._line
        if line.sock is not None and select.select([line.sock], [], [], 0)[0]:
            line.close()  # the server has hung up: nothing else is to be heard before a question
        if line.sock is None:
            line.connect()

    def _question(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, float, bytes]:
        """Ask once; return the status, how long the server wants to be left alone, and the answer."""
        try:
            self._line.request(method, self._folder + path, body=body, headers=dict(headers))
            with self._line.getresponse() as reply:
                wait = reply.getheader("Retry-After", "") if reply.status in _BUSY else ""
                return reply.status, float(wait) if wait.isdecimal() else 0.0, reply.read()
        except BaseException:
            self._line.close()  # an answer that still comes is not that of the next question
            raise


class _Line(http.client.HTTPSConnection):
    """A connection that is soon there or not at all, and waits long for an answer."""

    def connect(self) -> None:
        """Connect."""
        super().connect()
        self.sock.settimeout(ANSWER_S)
