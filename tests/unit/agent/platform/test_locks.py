"""The lock table: the kernel's words, understood."""

import os

import pytest

from strongroom.agent.platform.base import Locks
from strongroom.agent.platform.locks import LockTable, parse_locks

DEVICE = os.makedev(0xFD, 0x02)
LINE = "1: {sort} {state} {mode} {pid} fd:02:{inode} 0 EOF\n"


@pytest.mark.parametrize(
    ("sort", "state", "mode", "pid"),
    [
        ("POSIX ", "ADVISORY ", "WRITE", 77),
        ("FLOCK ", "ADVISORY ", "WRITE", 77),
        ("OFDLCK", "ADVISORY ", "WRITE", -1),
        ("POSIX ", "MANDATORY", "WRITE", 77),
        ("LEASE ", "ACTIVE   ", "WRITE", 77),
        ("LEASE ", "BREAKING ", "READ ", 77),
        ("LEASE ", "BREAKING ", "UNLCK", 77),
    ],
)
def test_what_holds_a_file(sort, state, mode, pid):
    line = LINE.format(sort=sort, state=state, mode=mode, pid=pid, inode=4711)
    is_lease = sort.startswith("LEASE")
    assert parse_locks(line.encode(), own_pid=1) == both({4711: {DEVICE}}, {4711: {DEVICE}} if is_lease else {})


@pytest.mark.parametrize(
    "line",
    [
        "1: POSIX  ADVISORY  READ  77 fd:02:4711 0 EOF\n",
        "1: FLOCK  ADVISORY  READ  77 fd:02:4711 0 EOF\n",
        "1: LEASE  ACTIVE    READ  77 fd:02:4711 0 EOF\n",
        "1: -> POSIX  ADVISORY  WRITE 77 fd:02:4711 0 EOF\n",
        "1: POSIX  ADVISORY  WRITE 5 fd:02:4711 0 EOF\n",
        "1: POSIX  ADVISORY  WRITE 77 <none>:0 0 EOF\n",
        "",
        "nonsense\n",
    ],
)
def test_what_does_not(line):
    assert parse_locks(line.encode(), own_pid=5) == both({}, {})


def test_a_table_of_many_lines():
    table = "".join(LINE.format(sort="POSIX ", state="ADVISORY ", mode="WRITE", pid=2, inode=n) for n in range(50))
    assert parse_locks(table.encode(), own_pid=1) == both({n: {DEVICE} for n in range(50)}, {})


def test_the_table_is_read_anew_when_asked_and_a_machine_without_one_has_no_locks(tmp_path):
    path = tmp_path / "locks"
    table = LockTable(str(path))
    assert table.devices_of(4711, Locks.ANY) == set()
    path.write_text(LINE.format(sort="POSIX ", state="ADVISORY ", mode="WRITE", pid=2, inode=4711))
    table.forget()
    assert table.devices_of(4711, Locks.ANY) == {DEVICE}
    assert table.devices_of(4712, Locks.ANY) == set()
    assert table.may_hold([1, 4711, 3], Locks.ANY)
    assert not table.may_hold([1, 4712], Locks.ANY)
    assert not table.may_hold([4711], Locks.LEASES)


def both(locked, leased):
    return {Locks.ANY: locked, Locks.LEASES: leased}
