"""How long to go on trying, and how often: back-off with jitter, within a lease (W14).

Why: a dropped connection is not a restart. The work goes on as long as the server waits for it.
"""

from __future__ import annotations

import secrets
import threading
from typing import TYPE_CHECKING, Final, TypeVar

from strongroom import clock
from strongroom.errors import StrongroomError

if TYPE_CHECKING:
    from collections.abc import Callable

_FIRST_S: Final = 0.1
_THEN_S: Final = 1.0
_MOST_S: Final = 30.0
Answer = TypeVar("Answer")


def wait_before(attempt: int) -> float:
    """Return the seconds to wait before a further attempt (1 is the second one): fast at first, then 1 s doubling."""
    longest = _FIRST_S if attempt == 1 else min(_THEN_S * 2 ** min(attempt - 2, 10), _MOST_S)
    return longest * (0.5 + secrets.randbelow(1000) / 2000)


class Patience:
    """One job's patience with the network; counts what it cost. Safe to share between the job's threads."""

    def __init__(self, lease_s: float, pause: Callable[[float], None] = clock.wait_s) -> None:
        """Be patient for so long with each call.

        Args:
            lease_s: as long as the server waits for us.
            pause: waits; raises when the job was cancelled meanwhile.
        """
        self.lease_s = lease_s
        self._pause = pause
        self._lock = threading.Lock()
        self.retries = 0
        self.retry_s = 0.0

    def insist(self, attempt: Callable[[], Answer]) -> Answer:
        """Attempt until it works, or until trying again does not help or takes too long.

        Raises:
            StrongroomError: what the last attempt raised; or the job was cancelled.
        """
        trying = self.trying()
        while True:
            self.check()
            try:
                answer = attempt()
            except StrongroomError as error:
                trying.failed(error)
            else:
                trying.succeeded()
                return answer

    def check(self) -> None:
        """Raise what the pause raises when the job was cancelled meanwhile; takes no time."""
        self._pause(0)

    def trying(self) -> Trying:
        """Begin with something that may have to be tried several times."""
        return Trying(self, self._pause)

    def count(self, waited_s: float, *, retries: int) -> None:
        """Add to the cost."""
        with self._lock:
            self.retries += retries
            self.retry_s += waited_s


class Trying:
    """The attempts at one thing, in one thread."""

    def __init__(self, patience: Patience, pause: Callable[[float], None]) -> None:
        self._patience = patience
        self._pause = pause
        self._failures = 0
        self._since = 0.0

    def failed(self, error: StrongroomError, *, is_retryable: bool | None = None) -> None:
        """Wait before the next attempt.

        Raises:
            StrongroomError: `error` itself, when there shall be no next attempt.
        """
        if not (error.retryable if is_retryable is None else is_retryable):
            raise error
        now = clock.monotonic_s()
        if not self._failures:
            self._since = now
        self._failures += 1
        wait_s = wait_before(self._failures)
        if now + wait_s - self._since > self._patience.lease_s:
            raise error
        self._pause(wait_s)
        self._patience.count(0, retries=1)

    def succeeded(self) -> None:
        """Forget the failures: it works again."""
        if self._failures:
            self._patience.count(clock.monotonic_s() - self._since, retries=0)
            self._failures = 0
