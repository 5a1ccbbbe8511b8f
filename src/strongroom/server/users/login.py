"""Logging in with a name and a password.

Promises: an unknown name and a wrong password take the same time and answer the same; after `_TRIES` failures from one
address, further tries from there are refused for a while; nobody can lock another out. All outcomes are audited.
"""

from __future__ import annotations

import threading
from collections import deque
from datetime import timedelta
from typing import TYPE_CHECKING

from django.contrib.auth import authenticate

from strongroom.errors import Refused, Unauthenticated
from strongroom.server.catalog.models import User
from strongroom.server.users.audit import Actor, record

if TYPE_CHECKING:
    from datetime import datetime

_TRIES = 10
_WHILE = timedelta(minutes=5)
_REMEMBERED = 10_000


def log_in(*, name: str, password: str, address: str, now: datetime) -> User:
    """Return the user whose password this is.

    Raises:
        Unauthenticated: there is no such user, or the password is wrong.
        Refused: there were too many failures of late.
    """
    actor = Actor(name[:150], address)
    if _failures.are_too_many(address, now):
        raise Refused(
            "Too many failed logins; wait a few minutes.", code="too_many_tries", hint="The limit lifts by itself."
        )
    user = authenticate(None, username=name, password=password)
    if not isinstance(user, User):
        _failures.add(address, now)
        record("login.refused", "login", by=actor, now=now)
        raise Unauthenticated("The name or the password is wrong.", code="bad_login")
    record("login", "login", by=actor, now=now)
    return user


class _Failures:
    """The failed logins of the last few minutes; lost at a restart, which costs an attacker more than it gives."""

    def __init__(self) -> None:
        """Begin with none."""
        self._lock = threading.Lock()
        self._seen: deque[tuple[datetime, str]] = deque(maxlen=_REMEMBERED)

    def add(self, address: str, now: datetime) -> None:
        """Note one."""
        with self._lock:
            self._seen.append((now, address))

    def are_too_many(self, address: str, now: datetime) -> bool:
        """Tell whether too many came from this address."""
        with self._lock:
            while self._seen and now - self._seen[0][0] > _WHILE:
                self._seen.popleft()
            return sum(1 for _, seen in self._seen if seen == address) >= _TRIES


_failures = _Failures()
