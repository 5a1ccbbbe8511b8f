"""What the tests of recovery points share: a listener that does something at a step, and looks at what is on a disk."""

import subprocess

from tests.exact.file_systems import PATH
from tests.workflow.one_host import Heard


class At(Heard):
    """Does something once when a step begins."""

    def __init__(self, step, deed):
        super().__init__()
        self._step, self._deed = step, deed

    def step(self, step):
        super().step(step)
        if step == self._step:
            self._deed()


def run(*command):
    """Run a program that must succeed; return what it printed."""
    return subprocess.run(
        [str(word) for word in command], check=True, capture_output=True, text=True, env={"PATH": PATH}
    ).stdout


def snapshots_on(place):
    """Name the snapshots that stand in the folder for recovery points on a btrfs file system."""
    holding = place / ".strongroom-recovery-points"
    return sorted(path.name for path in holding.iterdir()) if holding.exists() else []


def make_subvolume(path):
    """Make a btrfs subvolume."""
    run("btrfs", "subvolume", "create", path)
