"""One host that is really backed up into a real vault, in one process: for rules that are the agent's own."""

import contextlib
import subprocess
import sys
import textwrap
import time
from dataclasses import dataclass, field

from strongroom import clock
from strongroom.agent.backup.events import Cancelled, Events
from strongroom.agent.backup.places import Places
from strongroom.agent.backup.run import run_backup
from strongroom.agent.platform.current import current_platform
from strongroom.engine.format.block import BlockKind, decode_block
from strongroom.engine.vault.commit import SnapshotDetails
from strongroom.engine.vault.vault import Vault
from strongroom.errors import NotFound
from strongroom.model.job import Kind
from strongroom.model.policy import Content, Options
from strongroom.protocol.messages import BackupOrder
from strongroom.testing.memory_ledger import MemoryLedger
from strongroom.testing.memory_storage import MemoryStorage

ROOT_KEY = bytes(range(32))
SET = 5


class VaultSink:
    """A vault's session as a backup sees it; counts what it is asked."""

    def __init__(self, vault, session, content, kind):
        self._vault, self._session, self._content, self._kind = vault, session, content, kind
        self.keys = vault.content_keys
        self.knows_nothing = session.knows_nothing
        self.sent_bytes = 0  # of blocks that hold content; folders above the test's own change when others test too
        self.tree_nodes = 0
        self.base_read = False
        self.snapshot = ""

    def missing(self, ids):
        return self._session.missing(ids)

    def put(self, blocks):
        for block in blocks:
            read = decode_block(block)
            if read.kind is BlockKind.DATA:
                self.sent_bytes += len(block)
            else:
                self.tree_nodes += len(read.ids)
        return self._session.put(blocks)

    def base_listing(self):
        self.base_read = True
        return self._vault.reader(self._session.base).walk()

    def commit(self, root, report):
        estimate = report.estimate
        details = SnapshotDetails(
            "host", self._kind, clock.now(), self._content, estimate.files_scanned, estimate.source_bytes
        )
        self.snapshot = self._session.commit(root, details).id
        return self.snapshot


class Heard(Events):
    """Listens to a backup; stops it at the `stop_at`-th check."""

    def __init__(self, stop_at=None):
        self.told = []
        self.missed_files = []
        self.forecast = None
        self._checks_left = stop_at

    def step(self, step):
        self.told.append(step.value)

    def estimated(self, estimate):
        self.told.append("estimated")
        self.forecast = estimate

    def missed(self, files):
        self.missed_files += files

    def check(self):
        if self._checks_left is not None:
            self._checks_left -= 1
            if self._checks_left < 0:
                raise Cancelled("The job was cancelled.")


@dataclass
class Outcome:
    """What one backup gave."""

    report: object
    heard: Heard
    sink: VaultSink
    snapshot: str
    reader: object
    reasons: dict = field(default_factory=dict)

    def entry(self, path):
        return self.reader.entry(bytes(path)[1:])

    def has(self, path):
        try:
            self.entry(path)
        except NotFound:
            return False
        return True

    def content(self, path):
        return b"".join(self.reader.content(self.entry(path)))


class OneHost:
    """A host with its own vault; `back_up` is one job."""

    def __init__(self, folder):
        self.places = Places(folder / "state", folder / "log")
        self.vault = Vault.create(MemoryStorage(), ROOT_KEY, MemoryLedger())
        self.machine = current_platform()
        self.base = ""
        self.jobs = 0

    def back_up(self, *include, heard=None, exclude=(), one_file_system=False, settle=True, **options):
        """Run one job; first let what was just written grow old enough to be believed by the next."""
        time.sleep(0.03 if settle else 0)
        self.jobs += 1
        content = Content(tuple(map(str, include)), tuple(exclude), one_file_system)
        kind = Kind.INCREMENTAL if self.base else Kind.FULL
        order = BackupOrder(self.jobs, SET, kind, content, Options(**options), self.base)
        heard = heard or Heard()
        session = self.vault.open_session(set_id=SET, job_id=self.jobs, base=self.base)
        sink = VaultSink(self.vault, session, content, kind)
        try:
            report = run_backup(order, self.machine, self.places, sink, heard)
        finally:
            session.end()
        self.base = sink.snapshot
        reasons = {file.path: file.reason.value for file in heard.missed_files}
        return Outcome(report, heard, sink, self.base, self.vault.reader(self.base), reasons)

    def log(self, job=None):
        """The log of missed files of a job, or None."""
        path = self.places.missed_log(self.places.log_root, SET, job or self.jobs)
        return path.read_text("utf-8").splitlines() if path.exists() else None


@contextlib.contextmanager
def other_process(program, *arguments):
    """Run Python in another process that says "ready", and end it afterwards; yields the process."""
    command = [sys.executable, "-c", textwrap.dedent(program), *map(str, arguments)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.stdin.close()
        process.wait(10)
        process.stdout.close()
