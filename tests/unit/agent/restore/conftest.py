"""What the restore's tests share: a way to run one, and someone who listens."""

import pytest

from strongroom.agent.restore.run import run_restore
from strongroom.model.policy import ConflictMode
from strongroom.protocol.messages import RestoreOrder
from tests.unit.agent.restore.taken import CUT, KEY


class Stopped(Exception):
    pass


class Heard:
    """Listens to a restore; stops it when told to."""

    def __init__(self, stop_after=None):
        self.files = []
        self.steps = []
        self.checks_left = stop_after

    def step(self, step):
        self.steps.append(step)

    def progress(self, files, size_bytes, current):
        self.last = (files, size_bytes, current)

    def missed(self, files):
        self.files += files

    def check(self):
        if self.checks_left is not None:
            self.checks_left -= 1
            if self.checks_left < 0:
                raise Stopped

    def reasons(self):
        return {file.path: file.reason.value for file in self.files}


@pytest.fixture
def restore(tmp_path):
    """Run a restore; give its report and what was heard."""

    def run(source, target, *paths, conflict=ConflictMode.OVERWRITE, stop_after=None):
        heard = Heard(stop_after)
        order = RestoreOrder(7, "snapshot", paths, str(target), conflict, "grant", KEY, CUT)
        return run_restore(order, source, tmp_path / "spool", heard), heard

    return run
