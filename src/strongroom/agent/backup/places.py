"""Where a backup keeps its own files on the host.

Promises: names only; nothing is read, and folders are made when something is to be written into them.
"""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from strongroom.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

LOG_ROOT = Path("/var/log/strongroom")


@dataclasses.dataclass(frozen=True, slots=True)
class Places:
    """The agent's folders.

    Args:
        state: the agent's state folder; never part of a backup.
        log_root: where the logs for people stand.
    """

    state: Path
    log_root: Path = LOG_ROOT

    def spool(self) -> Path:
        """Return the folder for files that end with the job; made if need be."""
        folder = self.state / "spool"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder

    def set_folder(self, set_id: int) -> Path:
        """Return the folder of what is remembered of a backup set; made if need be."""
        folder = self.state / "sets" / str(set_id)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder

    def missed_log(self, root: Path, set_id: int, job_id: int) -> Path:
        """Return the log of a job's missed files below a log root (W12)."""
        return root / "FS" / "backup" / str(set_id) / f"Strongroom-{job_id}-MissedFiles.log"


@contextlib.contextmanager
def own_files_needed() -> Iterator[None]:
    """Say clearly that the agent could not write or read its own files; those of the host never get so far.

    Raises:
        Unavailable: an `OSError` came through.
    """
    try:
        yield
    except OSError as error:
        raise Unavailable(
            f"The agent cannot use its own files: {error}.",
            code="agent_files",
            hint="Look for free space and for the rights on the agent's state folder.",
        ) from error
