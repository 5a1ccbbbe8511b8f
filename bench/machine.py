"""Which machine a result was measured on, in one line."""

from __future__ import annotations

import datetime as dt
import os
import platform
import subprocess
from pathlib import Path

from strongroom import __version__

GIB = 1 << 30
ROOT = Path(__file__).resolve().parents[1]


def describe(work: Path) -> str:
    """Describe processor, memory, kernel, file system of the work folder, Python, and the day."""
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB
    return (
        f"{dt.datetime.now().astimezone():%Y-%m-%d %H:%M}, {processor()}, {len(os.sched_getaffinity(0))} cores, "
        f"{memory_gib:.0f} GiB memory, Linux {platform.release().split('-')[0]}, {file_system(work)}, "
        f"Python {platform.python_version()}"
    )


def processor() -> str:
    """Name the processor."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return " ".join(line.partition(":")[2].split())
    return platform.machine()


def file_system(folder: Path) -> str:
    """Name the type of the file system that a folder is on."""
    device = os.stat(folder).st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields = line.split()
        if fields[2] == wanted:
            return fields[fields.index("-") + 1]
    return "unknown file system"


def revision() -> str:
    """Tell which Strongroom this is: its version, and its commit where it is a checkout."""
    answer = subprocess.run(
        ["git", "-C", str(ROOT), "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
    )
    return f"{__version__} {answer.stdout.strip()}".strip()
