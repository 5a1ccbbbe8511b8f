"""A server's inside in one folder, without its doors: for tests that call verbs.

All parts are the real ones: data folder, catalog in SQLite, vault on disk. A folder is initialised once a process and
copied for each test, because making keys and hashing a password on purpose takes its time.
"""

from __future__ import annotations

import contextlib
import functools
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from strongroom import clock
from strongroom.model.job import Trigger
from strongroom.model.policy import Content, Options
from strongroom.server.backup import state
from strongroom.server.backup.abort import abort_after_server_start
from strongroom.server.backup.request import request_backup
from strongroom.server.backup.sets import create_set, require_set
from strongroom.server.catalog.connection import catalog_thread
from strongroom.server.config import DataFolder
from strongroom.server.hosts import presence
from strongroom.server.premises import close_premises, open_premises
from strongroom.server.setup.init import init_server
from strongroom.server.upkeep.check import check_vault
from strongroom.server.users.audit import Actor
from strongroom.testing.hand_agent import HandAgent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from strongroom.model.host import OsFamily
    from strongroom.server.catalog.models import BackupSet

PASSWORD = "a password for tests"  # noqa: S105
URL = "https://127.0.0.1:8443"


@dataclass
class SmallServer:
    """An open server; `restart` is what a kill and a new start do to it."""

    folder: DataFolder
    by: Actor = field(default_factory=lambda: Actor("tester", "192.0.2.1"))

    def restart(self) -> None:
        """Stop without telling anyone, and start again."""
        presence.forget_all()
        state.forget_all_heard()
        close_premises()
        open_premises(self.folder)
        abort_after_server_start(now=clock.now())

    def agent(self, name: str = "files", os_family: OsFamily | None = None) -> HandAgent:
        """Activate a host and return its agent, which is not connected yet."""
        return HandAgent.activated(name, os_family, self.by)

    def make_set(self, agent: HandAgent, name: str = "docs", include: str = "/srv/docs") -> BackupSet:
        """Create a backup set on the agent's host."""
        content = Content(include=(include,))
        return create_set(name=name, host=agent.host, content=content, options=Options(), by=self.by, now=clock.now())

    def back_up(self, name: str = "docs") -> int:
        """Ask for a backup now; return the job's number."""
        chosen = require_set(name)
        return request_backup(backup_set=chosen, trigger=Trigger.NOW, now=clock.now(), by=self.by).id

    def check(self) -> dict[str, Any]:
        """Check every byte of the vault; return the report."""
        return check_vault(read_data=True, by=self.by, now=clock.now())


@contextlib.contextmanager
def small_server(path: Path, settings: str = "") -> Iterator[SmallServer]:
    """Open a new server in `path`; `settings` is the text of its `server.toml`."""
    folder = DataFolder(path / "data")
    shutil.copytree(_template(), folder.path)
    folder.settings.write_text(f'url = "{URL}"\n{settings}')
    with catalog_thread():
        open_premises(folder)
        try:
            yield SmallServer(folder)
        finally:
            presence.forget_all()
            state.forget_all_heard()
            close_premises()


@functools.cache
def _template() -> Path:
    """Make a data folder to copy from; it goes when the process does."""
    holder = tempfile.TemporaryDirectory(prefix="strongroom-")
    _holders.append(holder)
    folder = DataFolder(Path(holder.name) / "data")
    with catalog_thread():
        init_server(folder, now=clock.now(), password=PASSWORD)
    return folder.path


_holders: list[tempfile.TemporaryDirectory[str]] = []
