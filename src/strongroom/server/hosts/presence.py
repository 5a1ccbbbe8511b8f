"""Presence: which agents are connected now, and how to reach the thread that speaks to each.

Why: admission asks whether an agent is running; a verb that makes work for one must wake its stream of orders.
Promises: all functions may be called from any thread. A newer link of a host replaces the older one.
`wake` callbacks are called from whichever thread has news, and must only pass it on.
Does not: know what the news is. The woken stream asks `orders.orders_for`.

A host is connected while its stream is open and something was heard from it within `silence_s` (docs/protocol.md).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from django.db import transaction

from strongroom import clock
from strongroom.server.premises import premises

Wake = Callable[[], None]

_log = logging.getLogger(__name__)


@dataclass(eq=False)
class Link:
    """One open stream of orders.

    Args:
        known: the jobs that the agent said it was carrying out when it connected.
        sent: when each job's order was last written to this stream, by `clock.monotonic_s`; kept by `orders`.
        cancelled: jobs whose cancel order was written to it.
    """

    host_id: str
    instance_id: str
    boot_id: str
    wake: Wake
    heard_s: float
    known: frozenset[int] = frozenset()
    sent: dict[int, float] = field(default_factory=dict)
    cancelled: set[int] = field(default_factory=set)


_lock = threading.Lock()
_links: dict[str, Link] = {}


def connect(link: Link) -> None:
    """Make this the host's link; wake the one it replaces, so that its stream ends."""
    with _lock:
        older = _links.get(link.host_id)
        _links[link.host_id] = link
    if older is not None:
        _wake(older)


def disconnect(link: Link) -> bool:
    """Forget this link; tell whether it was still the host's own."""
    with _lock:
        current = _links.get(link.host_id) is link
        if current:
            del _links[link.host_id]
    return current


def shut_out(host_id: str) -> None:
    """Forget whatever link the host has, and wake it, so that its stream ends."""
    with _lock:
        link = _links.pop(host_id, None)
    if link is not None:
        _wake(link)


def forget_all() -> None:
    """Forget every link: the process is ending, or stands for one that has ended."""
    with _lock:
        _links.clear()


def is_current(link: Link) -> bool:
    """Tell whether this link is its host's; a stream whose link is not must end."""
    with _lock:
        return _links.get(link.host_id) is link


def heard_from(host_id: str) -> None:
    """Note that the host said something just now."""
    with _lock:
        link = _links.get(host_id)
        if link is not None:
            link.heard_s = clock.monotonic_s()


def is_running(host_id: str) -> bool:
    """Tell whether the host's agent is connected."""
    with _lock:
        link = _links.get(host_id)
    return link is not None and clock.monotonic_s() - link.heard_s <= premises().config.silence_s


def notify(host_id: str) -> None:
    """Tell the host's stream, if there is one, that its orders may have changed."""
    with _lock:
        link = _links.get(host_id)
    if link is not None:
        _wake(link)


def notify_on_commit(host_id: str) -> None:
    """Notify once the transaction that is open has committed; at once when none is."""
    transaction.on_commit(partial(notify, host_id))


def _wake(link: Link) -> None:
    """Call a stream's callback; a stream that is just ending must not hurt the one with the news."""
    try:
        link.wake()
    except Exception:  # noqa: BLE001 - whatever a callback raises is its stream's trouble, not the verb's
        _log.exception("A stream of orders could not be woken")
