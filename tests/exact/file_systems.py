"""Real file systems for tests: each in a file of its own, mounted for as long as a test needs it."""

import os
import shutil
import subprocess
from contextlib import contextmanager

import pytest

IMAGE_BYTES = 640 << 20  # sparse: takes what is written; xfs will not do with less
MAKERS = {
    "ext4": ["mkfs.ext4", "-q"],
    "xfs": ["mkfs.xfs", "-q"],
    "btrfs": ["mkfs.btrfs", "-q"],
    "ext2": ["mkfs.ext2", "-q", "-I", "128"],  # the smallest inodes: whole seconds, until 2038
}
PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])


@contextmanager
def mounted(kind, folder):
    """Make a file system, mount it below the folder and give the place; afterwards all of it is gone."""
    require(kind)
    image, place = folder / f"{kind}.image", folder / kind
    place.mkdir()
    if kind == "tmpfs":
        run("mount", "-t", "tmpfs", "-o", f"size={IMAGE_BYTES}", "strongroom-test", place)
    else:
        image.touch()
        os.truncate(image, IMAGE_BYTES)
        run(*MAKERS[kind], image)
        run("mount", "-o", "loop", image, place)
    try:
        yield place
    finally:
        run("umount", place)
        place.rmdir()
        image.unlink(missing_ok=True)


def require(kind):
    """Say why a file system cannot be had here, instead of passing in silence."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a file system")
    if kind in MAKERS and shutil.which(MAKERS[kind][0], path=PATH) is None:
        pytest.skip(f"{MAKERS[kind][0]} is not installed")


def run(*command):
    """Run a system program."""
    told = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, env={"PATH": PATH}, check=False
    )
    assert told.returncode == 0, told.stderr
