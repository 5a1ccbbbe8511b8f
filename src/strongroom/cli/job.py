"""`strongroom job`: what is going on and what happened."""

from __future__ import annotations

from itertools import islice
from typing import Annotated

import typer

from strongroom.cli.client import PAGE, Client, find_access
from strongroom.cli.output import AsJson, minute, moment, print_facts, print_json, print_table, reason, say, size
from strongroom.cli.wait import print_summary, progress_line
from strongroom.model.job import JobState, JobType

app = typer.Typer(no_args_is_help=True, help="Jobs: backups and restores.")

JobId = Annotated[int, typer.Argument(metavar="ID", min=1, max=2**63 - 1, help="The job's number.")]


@app.command("list")
def list_jobs(
    *,
    backup_set: Annotated[str, typer.Option("--set", help="Only of this set.")] = "",
    host: Annotated[str, typer.Option(help="Only of this host.")] = "",
    state: Annotated[JobState | None, typer.Option(help="Only in this state.")] = None,
    job_type: Annotated[JobType | None, typer.Option("--type", help="Only of this type.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many, newest first.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List jobs, newest first."""
    found = Client(find_access()).fetch_each(
        "jobs", set=backup_set, host=host, state=state, type=job_type, limit=min(limit, PAGE)
    )
    jobs = list(islice(found, limit))
    if as_json:
        print_json(jobs)
        return
    print_table(
        ("id", "type", "set", "state", "requested (UTC)", "sent", "missed", "reason"),
        (
            (
                job["id"],
                job["type"],
                job["set_name"],
                job["state"],
                minute(job["requested"]),
                size((job.get("transfer") or {}).get("bytes_sent")),
                job["missed_count"] or "",
                "" if job["state"] == JobState.SUCCESSFUL else reason(job),
            )
            for job in jobs
        ),
    )


@app.command()
def show(job: JobId, *, as_json: AsJson = False) -> None:
    """Show one job: where it stands, or its report."""
    found = Client(find_access()).fetch("jobs", job)
    if as_json:
        print_json(found)
        return
    if JobState(found["state"]).is_closed:
        print_summary(found)
    else:
        say(progress_line(found))
        say(reason(found))
    print_facts(
        [
            ("set", found["set_name"]),
            ("host", found["host"]),
            ("trigger", found["trigger"]),
            ("step", found["step"]),
            ("source", found["source_why"] or found["source"]),
            ("requested", moment(found["requested"])),
            ("started", moment(found["started"])),
            ("ended", moment(found["ended"])),
        ]
    )
    if len(found["source_areas"]) > 1:
        for area in found["source_areas"]:
            how = f"recovery point ({area['how']})" if area["how"] else f"live, {area['why']}"
            say(f"  {area['path']}", how)
    for line in found["log"]:
        say(f"  {moment(line['time'])}  {line['text']}")


@app.command()
def cancel(job: JobId, *, as_json: AsJson = False) -> None:
    """Cancel a job."""
    found = Client(find_access()).send("jobs", job, "cancel")
    if as_json:
        print_json(found)
    elif not JobState(found["state"]).is_closed:
        say(f"Job {found['id']} ends as soon as its agent has stopped the work.")
    else:
        say(f"Job {found['id']}: {found['state']}. {reason(found)}")


@app.command()
def missed(job: JobId, *, as_json: AsJson = False) -> None:
    """List the files that a job missed, with the reasons."""
    files = Client(find_access()).fetch_each("jobs", job, "missed")
    if as_json:
        print_json(list(files))
        return
    for file in files:
        say(file["path"], file["text"] + (f" ({file['detail']})" if file.get("detail") else ""))
