"""The meter: wall time, CPU time and peak memory of a command, with the resident processes that work for it.

Memory is what the kernel counts as resident (RSS), files mapped into memory included. Processes are found by walking
children, and looked at every few hundredths of a second. The largest process is read from the kernel's own high-water
mark, so only what it gained in its last moments may be missed; of the sum of all, any peak shorter than a look may be.
The usage that `wait4` reports is no help here: its maximum begins with the size of whoever started the process.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import resource

POLL_S = 0.02
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
KIB = 1024


class Failed(Exception):
    """A measured command did not end as it should; the text has what it said."""


@dataclass(frozen=True)
class Measured:
    """What one piece of work cost, and what it printed."""

    seconds: float
    cpu_seconds: float
    largest_bytes: int  # high-water mark of the largest process
    sum_bytes: int  # most that all processes had at one moment
    output: str
    other_cpu_seconds: float = 0.0  # used meanwhile by everything else on the machine, or stolen from it


def measure(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    folder: Path | None = None,
    residents: Iterable[int] = (),
    expect: tuple[int, ...] = (0,),
) -> Measured:
    """Run a command to its end; count in the residents, processes that were there before and stay.

    Raises:
        Failed: it ended with an exit code that is not expected.
    """
    residents = list(residents)
    forget_high_water(residents)
    busy_before = busy_seconds()
    used_before = sum(cpu_seconds(pid) for pid in family(residents))
    with tempfile.TemporaryFile() as output:
        began = time.perf_counter()
        process = subprocess.Popen(
            command, env=environment, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
        watch = Watch([process.pid, *residents])
        with watch:
            usage = wait_for(process)
            seconds = time.perf_counter() - began
        busy = busy_seconds() - busy_before
        output.seek(0)
        text = output.read().decode("utf-8", "replace")
    if process.returncode not in expect:
        raise Failed(f"{' '.join(command)} ended with {process.returncode}: {text[-2000:].strip()}")
    resident_seconds = sum(cpu_seconds(pid) for pid in family(residents)) - used_before
    ours = usage.ru_utime + usage.ru_stime + max(0.0, resident_seconds)
    return Measured(
        seconds=seconds,
        cpu_seconds=ours,
        largest_bytes=watch.largest_bytes,
        sum_bytes=max(watch.sum_bytes, watch.largest_bytes),
        output=text,
        other_cpu_seconds=max(0.0, busy - ours),
    )


def wait_for(process: subprocess.Popen[bytes]) -> resource.struct_rusage:
    """Wait until a process has ended and give what it used; if we are to end ourselves, so must it."""
    try:
        _, status, usage = os.wait4(process.pid, 0)
    except BaseException:
        process.kill()
        process.wait()
        raise
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage


class Watch:
    """Looks at the memory of processes and their children, on a thread of its own, while the block runs."""

    def __init__(self, roots: list[int]) -> None:
        """Say whose families to watch."""
        self.roots = roots
        self.largest_bytes = 0
        self.sum_bytes = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look_on, daemon=True)

    def __enter__(self) -> None:
        """Begin to look."""
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        """Look one last time and stop."""
        self._done.set()
        self._thread.join()
        self._look()

    def _look_on(self) -> None:
        """Look until told that it is done."""
        while not self._done.wait(POLL_S):
            self._look()

    def _look(self) -> None:
        """Take one sample."""
        now = 0
        for pid in family(self.roots):
            status = read_status(pid)
            now += status.get("VmRSS", 0)
            self.largest_bytes = max(self.largest_bytes, status.get("VmHWM", 0))
        self.sum_bytes = max(self.sum_bytes, now)


def family(roots: Iterable[int]) -> list[int]:
    """List these processes and all their descendants that are alive."""
    found: list[int] = []
    waiting = list(roots)
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        try:
            for thread in os.listdir(f"/proc/{pid}/task"):
                waiting += map(int, Path(f"/proc/{pid}/task/{thread}/children").read_text().split())
        except OSError:
            continue  # it ended while we looked
    return found


def read_status(pid: int) -> dict[str, int]:
    """Read the memory lines of a process's status, in bytes; nothing when it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return {}
    return {line.split(":")[0]: int(line.split()[1]) * KIB for line in lines if line.startswith(("VmRSS", "VmHWM"))}


def cpu_seconds(pid: int) -> float:
    """Read how much CPU time a process and its ended children have used."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) * TICK_S


def busy_seconds() -> float:
    """Read how much CPU time the whole machine has used; what a hypervisor took away counts as used."""
    user, nice, system, _idle, _waiting, *interrupts = map(int, Path("/proc/stat").read_text().split()[1:9])
    return (user + nice + system + sum(interrupts)) * TICK_S


def forget_high_water(roots: Iterable[int]) -> None:
    """Start the memory high-water marks of resident processes afresh, so that each measurement has its own."""
    for pid in family(roots):
        try:
            Path(f"/proc/{pid}/clear_refs").write_text("5")
        except OSError:
            continue  # not ours to reset: its mark then covers its whole life
