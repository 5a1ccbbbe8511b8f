"""`--wait`: show a job's live progress until it is closed, and turn its end into an exit code."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any

import typer

from strongroom import clock, errors
from strongroom.cli.output import print_facts, print_json, reason, remark, say, size
from strongroom.model.job import JobState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from strongroom.cli.client import Client

FOLLOW_S = 0.5
"""The server answers when the job has ended, or after so long: then it is asked again."""
SHORTEST_POLL_S, LONGEST_POLL_S = 0.1, 0.5
POLL_SHARE = 0.05
"""A server that many follow answers at once. Then a job is asked about again after this share of the time waited so
far: a short one is not kept waiting for its end, and a long one disturbs nobody."""
PATIENCE_S = 300.0

_ASIDE = ("unchanged", "skipped", "failed")
EXIT_CODES = {JobState.SUCCESSFUL: 0, JobState.SUCCESSFUL_WITH_ERRORS: 1}


def finish(client: Client, job: dict[str, Any], *, wait: bool, as_json: bool) -> None:
    """Print the job just started; with `wait`, follow it to its end and exit with its code.

    Raises:
        Exit: with `wait`, or when the job ended at once: 0 successful, 1 with errors, 3 all other ends.
    """
    if wait:
        job = _follow(client, job)
    closed = JobState(job["state"]).is_closed
    if as_json:
        print_json(job)
    elif closed:
        print_summary(job)
    else:
        say(f"Job {job['id']}: {job['state']}. {reason(job)}")
    if closed:
        raise typer.Exit(EXIT_CODES.get(JobState(job["state"]), 3))


def _follow(client: Client, job: dict[str, Any]) -> dict[str, Any]:
    """Poll the job until it is closed, and show where it stands."""
    began = clock.monotonic_s()
    lost_since: float | None = None
    with _left_running(job), _display() as show:
        while not JobState(job["state"]).is_closed:
            show(job)
            asked = clock.monotonic_s()
            try:
                job = client.fetch("jobs", job["id"], wait_s=FOLLOW_S)
                lost_since = None
            except errors.Unavailable:
                lost_since = lost_since or clock.monotonic_s()
                if clock.monotonic_s() - lost_since > PATIENCE_S:
                    raise
            if not JobState(job["state"]).is_closed:
                now = clock.monotonic_s()
                pause_s = min(max(SHORTEST_POLL_S, (now - began) * POLL_SHARE), LONGEST_POLL_S)
                clock.wait_s(max(0.0, asked + pause_s - now))
    return job


@contextlib.contextmanager
def _display() -> Iterator[Callable[[dict[str, Any]], None]]:
    """Yield what shows a job: one live line on a terminal, a line per change elsewhere."""
    if sys.stderr.isatty():
        from strongroom.cli.drawing import changing_line  # noqa: PLC0415 -- see there

        with changing_line() as set_line:
            yield lambda job: set_line(progress_line(job))
        return
    seen = ""

    def tell(job: dict[str, Any]) -> None:
        nonlocal seen
        place = f"Job {job['id']}: {job['state']}{_whereabouts(job)}"
        if place != seen:
            remark(place)
        seen = place

    yield tell


@contextlib.contextmanager
def _left_running(job: dict[str, Any]) -> Iterator[None]:
    """Tell whoever stops waiting that the job does not stop."""
    try:
        yield
    except KeyboardInterrupt:
        remark(f"Job {job['id']} goes on. Cancel it with: strongroom job cancel {job['id']}")
        raise


def progress_line(job: dict[str, Any]) -> str:
    """Return one line that tells where a job stands."""
    progress = job.get("progress") or {}
    parts = [f"Job {job['id']}: {job['state']}{_whereabouts(job)}"]
    if progress:
        parts.append(f"{progress['files']} files, {size(progress['bytes'])}, {size(progress['rate_bytes_s'])}/s")
    estimate = job.get("estimate")
    if estimate and progress:
        parts.append(f"of {size(estimate['changed_bytes'])} to read")
    return " · ".join(parts)


def _whereabouts(job: dict[str, Any]) -> str:
    """Return the step of a job that has begun; why it waits, if it has not."""
    if not job["started"]:
        return f". {reason(job)}"
    return f", {job['step']}" + (", cancel requested" if job["cancel_requested"] else "")


def print_summary(job: dict[str, Any]) -> None:
    """Print how a closed job ended, in a few lines."""
    estimate, transfer, restore = (job.get(name) or {} for name in ("estimate", "transfer", "restore"))
    say(f"Job {job['id']}: {job['state']}. {reason(job)}")
    facts: list[tuple[str, object]] = [("kind", job.get("kind")), ("snapshot", job.get("snapshot_id"))]
    if estimate:
        facts.append(
            (
                "files",
                (
                    f"{estimate['files_scanned']} scanned, {estimate['files_added']} added, "
                    f"{estimate['files_changed']} changed, {estimate['files_removed']} removed"
                ),
            )
        )
        facts.append(("source", size(estimate["source_bytes"])))
    if restore:
        facts.append(("restored", f"{restore['files_restored']} files, {size(restore['bytes_restored'])}"))
        facts += [(name, f"{restore[f'files_{name}']} files") for name in _ASIDE if restore[f"files_{name}"]]
    if transfer:
        moved = "received" if restore else "sent"
        facts += [("read", size(transfer["bytes_read"])), (moved, size(transfer["bytes_sent"]))]
    if job.get("missed_count"):
        facts.append(("missed", f"{job['missed_count']} files; see `strongroom job missed {job['id']}`"))
    print_facts(facts)
