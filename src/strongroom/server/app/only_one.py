"""One server process a data folder: two would hand out the same work twice and believe each other's sessions dead."""

from __future__ import annotations

import contextlib
import fcntl
import os
from typing import TYPE_CHECKING

from strongroom.errors import Conflict, Mistake

if TYPE_CHECKING:
    from collections.abc import Iterator

    from strongroom.server.config import DataFolder

LOCK = "server.lock"


@contextlib.contextmanager
def only_server(folder: DataFolder) -> Iterator[None]:
    """Hold the data folder for this process; the lock goes with the process, however it ends.

    Raises:
        Conflict: another server process holds it.
        Mistake: the folder was not made by `server init`, or is another user's.
    """
    if not folder.local_token.exists():
        raise Mistake(
            f"{folder.path} is not a server's data folder.",
            code="not_initialised",
            hint=f"Make one with: strongroom server init --data {folder.path}",
        )
    try:
        lock = os.open(folder.path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Mistake(
            f"The data folder {folder.path} cannot be used: {error.strerror}.",
            code="no_access",
            hint="Run the server as the user who made it.",
        ) from error
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Conflict(
                f"Another server is running on {folder.path}.",
                code="already_running",
                hint="Stop it first, or choose another data folder with --data.",
            ) from error
        yield
    finally:
        os.close(lock)
