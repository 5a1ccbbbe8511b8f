"""Logging in with a name and a password.

Promises: an unknown name and a wrong password take the same time and answer the same. Tries are limited, by the address
they come from and by the name they are for, also when many are made at the same moment; a name's limit is the wider
one, so that nobody locks another out from one address. Guessing costs the server bounded memory. All outcomes are
audited.
"""

from __future__ import annotations

import ipaddress
import threading
from collections import deque
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.contrib.auth import authenticate

from strongroom.errors import Refused, Unauthenticated
from strongroom.server.catalog.models import User
from strongroom.server.users.audit import Actor, record

if TYPE_CHECKING:
    from datetime import datetime

_TRIES_OF_ADDRESS: Final = 10
_TRIES_OF_NAME: Final = 60
_WHILE: Final = timedelta(minutes=5)
_REMEMBERED: Final = 10_000
_CHECKS_AT_ONCE: Final = 2
_HOME_NETWORK_BITS: Final = 64

_checking = threading.BoundedSemaphore(_CHECKS_AT_ONCE)  # each check takes 100 MiB for a moment, by design


def log_in(*, name: str, password: str, address: str, now: datetime) -> User:
    """Return the user whose password this is.

    Raises:
        Unauthenticated: there is no such user, or the password is wrong.
        Refused: there were too many failures of late.
    """
    actor = Actor(name[:150], address)
    attempt = (now, _origin(address), name)
    if not _failures.may_try(attempt):
        raise Refused(
            "Too many failed logins; wait a few minutes.", code="too_many_tries", hint="The limit lifts by itself."
        )
    with _checking:
        user = authenticate(None, username=name, password=password)
    if not isinstance(user, User):
        record("login.refused", "login", by=actor, now=now)
        raise Unauthenticated("The name or the password is wrong.", code="bad_login")
    _failures.forget(attempt)
    record("login", "login", by=actor, now=now)
    return user


_Attempt = tuple["datetime", str, str]  # when, from where, for which name


class _Failures:
    """The failed logins of the last few minutes; lost at a restart, which costs an attacker more than it gives.

    A try counts as a failure from its beginning until it succeeds, so that tries at the same moment see each other.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self._lock = threading.Lock()
        self._seen: deque[_Attempt] = deque(maxlen=_REMEMBERED)

    def may_try(self, attempt: _Attempt) -> bool:
        """Tell whether a try is within the limits; if it is, it counts."""
        now, origin, name = attempt
        with self._lock:
            while self._seen and now - self._seen[0][0] > _WHILE:
                self._seen.popleft()
            of_address = sum(1 for _, seen, _ in self._seen if seen == origin)
            of_name = sum(1 for _, _, seen in self._seen if seen == name)
            if of_address >= _TRIES_OF_ADDRESS or of_name >= _TRIES_OF_NAME:
                return False
            self._seen.append(attempt)
            return True

    def forget(self, attempt: _Attempt) -> None:
        """Take back a try that succeeded."""
        with self._lock:
            if attempt in self._seen:
                self._seen.remove(attempt)


def _origin(address: str) -> str:
    """Return what tells one caller from another: an IPv6 address's network, for all in it are one caller's to use."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address) or parsed.ipv4_mapped:
        return address
    return str(ipaddress.ip_network((parsed, _HOME_NETWORK_BITS), strict=False))


_failures = _Failures()
