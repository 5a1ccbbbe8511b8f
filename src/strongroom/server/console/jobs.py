"""Screens of jobs: live step and progress, the report, missed files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.http import HttpResponse
from django.shortcuts import redirect, render

from strongroom import clock
from strongroom.model.job import JobState
from strongroom.model.report import HISTOGRAM_LIMITS_BYTES
from strongroom.model.steps import RestoreStep, Step
from strongroom.server import views
from strongroom.server.backup.cancel import cancel_job
from strongroom.server.console.filters import size
from strongroom.server.console.page import actor, is_live, page

if TYPE_CHECKING:
    from django.http import HttpRequest

PAGE = 50
MISSED_PAGE = 200


@page()
def job_list(request: HttpRequest) -> HttpResponse:
    """List jobs, newest first, a page at a time."""
    before = _number(request.GET.get("before", ""))
    jobs = views.jobs(limit=PAGE, before=before)
    shown = {"jobs": jobs, "older": jobs[-1]["id"] if len(jobs) == PAGE else 0, "is_first": not before}
    return render(request, "job_table.html" if is_live(request) else "jobs.html", shown)


@page()
def job_page(request: HttpRequest, job_id: int) -> HttpResponse:
    """Show one job; its moving part asks again while the job is open."""
    job = views.job(job_id)
    shown = {
        "job": job,
        "closed": JobState(job["state"]).is_closed,
        "steps": _steps(job),
        "histogram": _histogram(job),
        "missed": views.missed_files(job_id, limit=10) if job["missed_count"] else [],
    }
    return render(request, "job_live.html" if is_live(request) else "job.html", shown)


@page("POST")
def cancel(request: HttpRequest, job_id: int) -> HttpResponse:
    """Cancel a job."""
    cancel_job(job_id=job_id, by=actor(request), now=clock.now())
    return redirect("job", job_id=job_id)


@page()
def missed_page(request: HttpRequest, job_id: int) -> HttpResponse:
    """List the missed files of a job, a page at a time."""
    after = _number(request.GET.get("after", ""), default=-1)
    missed = views.missed_files(job_id, limit=MISSED_PAGE, after=after)
    following = missed[-1]["index"] if len(missed) == MISSED_PAGE else None
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


def _steps(job: views.View) -> list[dict[str, str]]:
    """Return the steps of a job's story, each `done`, `now`, `failed` or `ahead`."""
    order = [step.value for step in (Step if job["type"] == "backup" else RestoreStep)]
    here = order.index(job["step"]) if job["step"] in order else 0
    state = JobState(job["state"])
    at_end = state in {JobState.SUCCESSFUL, JobState.SUCCESSFUL_WITH_ERRORS}
    at_here = "failed" if state.is_closed else "now"
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
    labels = ["empty", *(f"to {size(limit)}" for limit in HISTOGRAM_LIMITS_BYTES[1:]), "larger"]
    return [
        {"label": label, "count": count, "percent": round(100 * count / largest)}
        for label, count in zip(labels, counts, strict=True)
    ]


def _number(text: str, *, default: int = 0) -> int:
    """Return a number from the address, or the default when it is none."""
    return int(text) if text.isdecimal() and len(text) < 19 else default  # noqa: PLR2004  (fits SQL's integers)
