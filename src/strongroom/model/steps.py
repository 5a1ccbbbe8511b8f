"""The steps of the workflow, in their order.

Why: one enum names the place in the story in wire events, catalog, logs, console and tests;
"failed at scan" then means a file one can open (docs/workflow.md).
"""

from __future__ import annotations

import enum


class Step(enum.StrEnum):
    """Where a backup stands (spec: the backup, step by step)."""

    REQUEST = "request"
    ADMISSION = "admission"
    KIND = "kind"
    RECOVERY_POINT = "recovery_point"
    SCAN = "scan"
    ESTIMATE = "estimate"
    FILESET = "fileset"
    TRANSMIT = "transmit"
    MISSED_FILES = "missed_files"
    RELEASE = "release"
    REPORT = "report"


class RestoreStep(enum.StrEnum):
    """Where a restore stands."""

    REQUEST = "request"
    ADMISSION = "admission"
    PLAN = "plan"
    PLACE = "place"
    REPORT = "report"
