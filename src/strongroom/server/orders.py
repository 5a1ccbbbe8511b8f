"""Orders: what a connected agent is to do now, backups and restores together.

Why: the stream of orders is one, whatever the orders are for.
Promises: an order is said again on every new stream until its agent has spoken of the job; a stream is told of each
order once. A restore's order comes again, with a fresh grant, before its grant runs out.
Does not: open or write streams; the gateway does. It asks `orders_for` when woken, and with each heartbeat.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from strongroom import clock
from strongroom.model.job import JobType
from strongroom.protocol.messages import CancelOrder, Hello, Order
from strongroom.server.backup.abort import abort_jobs_before
from strongroom.server.backup.dispatch import backup_order, dispatch
from strongroom.server.backup.state import running_jobs
from strongroom.server.catalog import models
from strongroom.server.hosts import presence
from strongroom.server.hosts.facts import take_facts
from strongroom.server.restore.grant import restore_order

if TYPE_CHECKING:
    from datetime import datetime

GRANT_RENEWED_AFTER_S: Final = 40 * 60.0


def welcome_agent(*, host: models.Host, hello: Hello, wake: presence.Wake, now: datetime) -> presence.Link:
    """Take in an agent that opens its stream of orders: what was lost in a restart is aborted, then it is connected.

    Args:
        wake: called, from any thread, when `orders_for` should be asked again or the link is not current any more.
    """
    abort_jobs_before(host=host, hello=hello, now=now)
    take_facts(host, hello.facts)
    host.last_seen = now
    host.save(
        update_fields=["os_family", "os_version", "agent_version", "time_zone", "boot_id", "instance_id", "last_seen"]
    )
    link = presence.Link(
        host_id=host.id,
        instance_id=host.instance_id,
        boot_id=host.boot_id,
        wake=wake,
        heard_s=clock.monotonic_s(),
        known=frozenset(hello.running),
    )
    presence.connect(link)
    if models.Host.objects.filter(id=host.id, revoked__isnull=False).exists():
        presence.shut_out(host.id)  # it was revoked while it came in
    return link


def orders_for(*, link: presence.Link, now: datetime) -> list[Order]:
    """Start what may start for this agent, and return the orders that its stream has not been told yet.

    A link that is not its host's any more gets none; ask `presence.is_current`.
    """
    if not presence.is_current(link):
        return []
    dispatch(link=link, now=now)
    mine = running_jobs().filter(host_id=link.host_id, instance_id=link.instance_id)
    found = (_next_order(job, link, now) for job in mine.select_related("backup_set").order_by("started", "id"))
    return [order for order in found if order is not None]


def farewell_agent(*, link: presence.Link, now: datetime) -> None:
    """Note that a stream has ended. Its jobs go on within their leases (W14)."""
    if presence.disconnect(link):
        models.Host.objects.filter(id=link.host_id).update(last_seen=now)


def _next_order(job: models.Job, link: presence.Link, now: datetime) -> Order | None:
    """Return what this stream must be told of one running job, if anything."""
    if job.cancel_requested:
        if job.id in link.cancelled:
            return None
        link.cancelled.add(job.id)
        return CancelOrder(job_id=job.id)
    told_s = link.sent.get(job.id)
    is_restore = job.type == JobType.RESTORE.value
    if told_s is None:
        if job.id in link.known and not is_restore:
            return None
    elif not is_restore or clock.monotonic_s() - told_s < GRANT_RENEWED_AFTER_S:
        return None
    link.sent[job.id] = clock.monotonic_s()
    return restore_order(job, now) if is_restore else backup_order(job)
