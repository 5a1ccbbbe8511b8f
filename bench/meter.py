"""The meter: wall time, CPU time and peak memory of a command, with the resident processes that work for it.

Memory is told in two ways. *Resident* (RSS) is what one process has at hand, files mapped into memory included; the
kernel keeps the high-water mark of each process, so only what it gained in its last moments may be missed.
Pages that several processes share are in the figure of each, so adding these up counts them several times. For all
processes together each page is therefore shared out among those who have it (PSS), and those shares are added up.

Looking costs the machine something, the shares most, for the kernel walks every page of a process to tell them. So
nothing is looked at more often than every few hundredths of a second, and after a look of either kind forty times as
long passes as it kept a core busy: together they take at most a twentieth of one core. A peak of the sum that is over
before the next look is missed.

The usage that `wait4` reports is no help here: its maximum begins with the size of whoever started the process.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import resource

LOOK_S = 0.03
SHARES_S = 0.25
REST = 40  # times as long as a look took
COMMAND = "command"
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
KIB = 1024


class Failed(Exception):
    """A measured command did not end as it should; the text has what it said."""


@dataclass(frozen=True)
class Measured:
    """What one piece of work cost, and what it printed."""

    seconds: float
    cpu_seconds: float
    resident_bytes: dict[str, int]  # high-water mark of the largest process of each program
    shared_out_bytes: int  # most that all processes had at one moment, shared pages counted once (PSS)
    sum_bytes: int  # the same with shared pages counted in each (RSS)
    output: str
    other_cpu_seconds: float = 0.0  # used meanwhile by everything else on the machine, or stolen from it
    job: dict[str, object] = field(default_factory=dict)  # the system's own record of it, where it keeps one

    @property
    def largest_bytes(self) -> int:
        """Give the high-water mark of the largest process."""
        return max(self.resident_bytes.values())


def measure(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    folder: Path | None = None,
    residents: Mapping[str, int] | None = None,
    expect: tuple[int, ...] = (0,),
) -> Measured:
    """Run a command to its end; count in the residents, named processes that were there before and stay.

    Raises:
        Failed: it ended with an exit code that is not expected.
    """
    residents = dict(residents or {})
    staying = list(residents.values())
    forget_high_water(staying)
    busy_before = busy_seconds()
    used_before = sum(cpu_seconds(pid) for pid in family(staying))
    with tempfile.TemporaryFile() as output:
        began = time.perf_counter()
        process = subprocess.Popen(
            command, env=environment, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
        watch = Watch({COMMAND: process.pid, **residents})
        with watch:
            usage = wait_for(process)
            seconds = time.perf_counter() - began
        busy = busy_seconds() - busy_before
        output.seek(0)
        text = output.read().decode("utf-8", "replace")
    if process.returncode not in expect:
        raise Failed(f"{' '.join(command)} ended with {process.returncode}: {text[-2000:].strip()}")
    resident_seconds = sum(cpu_seconds(pid) for pid in family(staying)) - used_before
    ours = usage.ru_utime + usage.ru_stime + max(0.0, resident_seconds)
    return Measured(
        seconds=seconds,
        cpu_seconds=ours,
        resident_bytes=watch.resident_bytes,
        shared_out_bytes=watch.shared_out_bytes,
        sum_bytes=watch.sum_bytes,
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
    """Looks at the memory of programs and their children, on a thread of its own, while the block runs."""

    def __init__(self, roots: Mapping[str, int]) -> None:
        """Say whose families to watch."""
        self.roots = roots
        self.resident_bytes = dict.fromkeys(roots, 0)
        self.shared_out_bytes = 0
        self.sum_bytes = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look_on, daemon=True)

    def __enter__(self) -> None:
        """Begin to look."""
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._done.set()
        self._thread.join()

    def _look_on(self) -> None:
        """Look until told that it is done, and one last time then."""
        next_shares = 0.0
        pause_s = 0.0
        while not self._done.wait(pause_s):
            began = time.thread_time()
            self._look()
            pause_s = max(LOOK_S, REST * (time.thread_time() - began))
            if time.perf_counter() >= next_shares:
                began = time.thread_time()
                self._look_at_shares()
                next_shares = time.perf_counter() + max(SHARES_S, REST * (time.thread_time() - began))
        self._look()

    def _look(self) -> None:
        """Take one sample of what is resident."""
        now = 0
        for name, root in self.roots.items():
            for pid in family([root]):
                status = read_memory(f"/proc/{pid}/status")
                now += status.get("VmRSS", 0)
                self.resident_bytes[name] = max(self.resident_bytes[name], status.get("VmHWM", 0))
        self.sum_bytes = max(self.sum_bytes, now)

    def _look_at_shares(self) -> None:
        """Take one sample of everybody's share."""
        now = sum(read_memory(f"/proc/{pid}/smaps_rollup").get("Pss", 0) for pid in family(self.roots.values()))
        self.shared_out_bytes = max(self.shared_out_bytes, now)


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


def read_memory(file: str) -> dict[str, int]:
    """Read the lines of a process's file that are in kB, in bytes; nothing when it has ended."""
    try:
        lines = Path(file).read_text().splitlines()
    except OSError:
        return {}
    return {line.split(":")[0]: int(line.split()[1]) * KIB for line in lines if line.endswith(" kB")}


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
