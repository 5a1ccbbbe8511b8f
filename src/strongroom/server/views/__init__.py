"""Read models: what console and API show, as plain data with the names of the job record in the workflow.

Why: reads need other shapes than verbs, and both doors must show the same.
Promises: plain dicts, ready for JSON; times ISO 8601 in UTC; paths escaped text; a few queries a call, whatever it
returns. Lists are newest first where that is what people look for, and come in pages of at most `MOST`.
"""

from __future__ import annotations

from strongroom.server.views.of_hosts import host, hosts
from strongroom.server.views.of_jobs import all_missed_files, job, jobs, missed_files
from strongroom.server.views.of_people import activation_token, activation_tokens, audit, user
from strongroom.server.views.of_sets import backup_set, backup_sets
from strongroom.server.views.of_snapshots import snapshot, snapshots
from strongroom.server.views.shape import MOST, View

__all__ = [
    "MOST",
    "View",
    "activation_token",
    "activation_tokens",
    "all_missed_files",
    "audit",
    "backup_set",
    "backup_sets",
    "host",
    "hosts",
    "job",
    "jobs",
    "missed_files",
    "snapshot",
    "snapshots",
    "user",
]
