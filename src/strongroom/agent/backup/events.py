"""What the workflow tells the world while it runs, and how it is told to stop.

Why: the steps know nothing of logs, wires or screens; who wants to know overrides what interests them.
Promises: the base class does nothing. The workflow calls `check` at every folder, file and chunk, so that a cancelled
job ends soon, and from one thread only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from strongroom.errors import StrongroomError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from strongroom.model.missed import MissedFile
    from strongroom.model.report import Estimate
    from strongroom.model.steps import Step


class Cancelled(StrongroomError):
    """The job was told to stop. Raised by `Events.check`, on purpose, through all steps."""

    code = "cancelled"


class Events:
    """Listens to a running backup; override what interests you."""

    def step(self, step: Step) -> None:
        """A step begins."""

    def progress(self, files: int, size_bytes: int, current: bytes) -> None:
        """So many files and bytes of this step are done; `current` is the raw absolute path at work."""

    def differs(self) -> None:
        """The scan is over, and has met a folder that surely is not as the last snapshot knows it."""

    def estimated(self, estimate: Estimate) -> None:
        """The estimate is known; nothing was sent yet (W7)."""

    def missed(self, files: Sequence[MissedFile]) -> None:
        """These files were missed; a further batch of the job's list, in order (W12)."""

    def note(self, text: str) -> None:
        """Something for the job's log, should the job fail; its report has a place of its own for it."""

    def check(self) -> None:
        """Return if the job is still to go on.

        Raises:
            Cancelled: it is not.
        """
