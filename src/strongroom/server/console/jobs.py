"""Screens of jobs: live step and progress, the report, missed files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.http import HttpResponse
from django.shortcuts import redirect, render

from strongroom import clock
from strongroom.errors import Conflict
from strongroom.model.job import JobState
from strongroom.model.report import HISTOGRAM_LIMITS_BYTES
from strongroom.model.steps import RestoreStep, Step
from strongroom.server import views
from strongroom.server.backup.cancel import cancel_job
from strongroom.server.console.failures import shown_error
from strongroom.server.console.filters import size
from strongroom.server.console.page import actor, number, page, show_live

if TYPE_CHECKING:
    from django.http import HttpRequest

PAGE = 50
MISSED_PAGE = 200
MISSED_SHOWN = 10


@page()
def job_list(request: HttpRequest) -> HttpResponse:
    """List jobs, newest first, a page at a time."""
    before = number(request.GET.get("before", ""))
    found = views.jobs(limit=PAGE + 1, before=before)
    jobs = found[:PAGE]
    shown = {"jobs": jobs, "older": jobs[-1]["id"] if len(found) > PAGE else 0, "is_first": not before}
    return show_live(request, whole="jobs.html", part="job_table.html", shown=shown)


@page()
def job_page(request: HttpRequest, job_id: int) -> HttpResponse:
    """Show one job; its moving part asks again while the job is open."""
    return show_live(request, whole="job.html", part="job_live.html", shown=_shown(job_id))


@page("POST")
def cancel(request: HttpRequest, job_id: int) -> HttpResponse:
    """Cancel a job; who comes too late sees how it ended."""
    try:
        cancel_job(job_id=job_id, by=actor(request), now=clock.now())
    except Conflict as error:
        return render(request, "job.html", {**_shown(job_id), **shown_error(error)}, status=error.http_status)
    return redirect("job", job_id=job_id)


@page()
def missed_page(request: HttpRequest, job_id: int) -> HttpResponse:
    """List the missed files of a job, a page at a time."""
    after = number(request.GET.get("after", ""), default=-1)
    found = views.missed_files(job_id, limit=MISSED_PAGE + 1, after=after)
    missed = found[:MISSED_PAGE]
    following = missed[-1]["index"] if len(found) > MISSED_PAGE else None
    return render(request, "missed.html", {"job": views.job(job_id), "missed": missed, "following": following})


@page()
def missed_download(request: HttpRequest, job_id: int) -> HttpResponse:  # noqa: ARG001  (Django passes it)
    """Give the whole list as a file: path, reason, sentence, detail, separated by tabs."""
    views.job(job_id)
    lines = (
        f"{file['path']}\t{file['reason']}\t{file['text']}\t{file['detail']}\n"
        for file in views.all_missed_files(job_id)
    )
    name = f"Strongroom-{job_id}-MissedFiles.tsv"
    return HttpResponse(
        "".join(lines),
        content_type="text/tab-separated-values; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _shown(job_id: int) -> views.View:
    """Return what the page of a job shows."""
    job = views.job(job_id)
    return {
        "job": job,
        "closed": JobState(job["state"]).is_closed,
        "steps": _steps(job),
        "histogram": _histogram(job),
        "missed": views.missed_files(job_id, limit=MISSED_SHOWN) if job["missed_count"] else [],
        "more_missed": job["missed_count"] > MISSED_SHOWN,
    }


def _steps(job: views.View) -> list[dict[str, str]]:
    """Return the steps of a job's story, each `done`, `now`, `ended` or `ahead`."""
    order = [step.value for step in (Step if job["type"] == "backup" else RestoreStep)]
    here = order.index(job["step"]) if job["step"] in order else 0
    state = JobState(job["state"])
    at_end = state in {JobState.SUCCESSFUL, JobState.SUCCESSFUL_WITH_ERRORS}
    at_here = "ended" if state.is_closed else "now"
    return [
        {
            "name": step.replace("_", " "),
            "mark": "done" if at_end or place < here else at_here if place == here else "ahead",
        }
        for place, step in enumerate(order)
    ]


def _histogram(job: views.View) -> list[dict[str, object]]:
    """Return the classes of the size histogram with their counts, and each count's share of the largest."""
    counts = (job["estimate"] or {}).get("histogram") or []
    largest = max(counts, default=0)
    if not largest:
        return []
    labels = ["empty", *(f"to {size(limit, digits=0)}" for limit in HISTOGRAM_LIMITS_BYTES[1:]), "larger"]
    return [
        {"label": label, "count": count, "percent": round(100 * count / largest)}
        for label, count in zip(labels, counts, strict=True)
    ]
