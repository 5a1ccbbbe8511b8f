"""The benchmark's own parts can be trusted: what it counts is right, and its ratios have the right way round."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.fetch import installed
from bench.meter import Failed, Measured, family, measure
from bench.rounds import Outcome, SetResult, run_set
from bench.sets import SETS, DataSet, count
from bench.table import render
from strongroom.testing.file_trees import Made, small_tree

MIB = 1 << 20
HOLD = "import sys, time; held = b'x' * (int(sys.argv[1]) << 20); time.sleep(float(sys.argv[2]))"


def hold(size_mib, seconds):
    return [sys.executable, "-c", HOLD, str(size_mib), str(seconds)]


def test_time_and_memory_of_one_command():
    found = measure(hold(200, 0.5), environment=os.environ)
    assert 0.5 < found.seconds < 10
    assert 200 * MIB < found.largest_bytes < 300 * MIB
    assert found.sum_bytes < 300 * MIB


def test_a_small_command_is_not_given_the_size_of_who_starts_it():
    ballast = b"x" * (300 * MIB)
    assert measure(["sleep", "0.3"], environment=os.environ).largest_bytes < 50 * MIB
    del ballast


def test_children_and_residents_count_in_the_sum():
    resident = subprocess.Popen(hold(100, 30))
    try:
        code = f"import subprocess, sys; subprocess.run({hold(150, 0.6)!r})"
        found = measure([sys.executable, "-c", code], environment=os.environ, residents=[resident.pid])
    finally:
        resident.kill()
        resident.wait()
    assert 150 * MIB < found.largest_bytes < 220 * MIB
    assert 250 * MIB < found.sum_bytes < 350 * MIB


def test_cpu_time_of_residents_counts_only_while_measured():
    spin = "import time\nwhile True: pass"
    resident = subprocess.Popen([sys.executable, "-c", spin])
    try:
        found = measure(["sleep", "0.5"], environment=os.environ, residents=[resident.pid])
    finally:
        resident.kill()
        resident.wait()
    assert 0.05 < found.cpu_seconds < 2


def test_what_others_use_meanwhile_is_told():
    other = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        found = measure(["sleep", "1"], environment=os.environ)
    finally:
        other.kill()
        other.wait()
    assert found.other_cpu_seconds > 0.2
    assert found.cpu_seconds < 0.5


def test_a_command_that_fails_says_so_with_what_it_printed():
    with pytest.raises(Failed, match=r"ended with 3: (?s:.)*out of luck"):
        measure(["sh", "-c", "echo out of luck; exit 3"], environment=os.environ)
    assert measure(["sh", "-c", "exit 3"], environment=os.environ, expect=(3,)).output == ""


def test_a_family_is_all_that_descend():
    parent = subprocess.Popen(["sh", "-c", "sleep 30 & sleep 30"])
    try:
        while len(family([parent.pid])) < 3:
            pass
        assert family([parent.pid])[0] == parent.pid
    finally:
        for pid in reversed(family([parent.pid])):
            os.kill(pid, 9)
        parent.wait()


def outcome(name, seconds):
    cost = Measured(seconds, seconds, 10 * MIB, 20 * MIB, "")
    return Outcome(name, {"full": cost, "restore": cost}, vault_bytes=int(seconds * 10**6), restored="identical")


def test_the_ratio_is_the_better_peer_by_strongroom():
    outcomes = [outcome("strongroom", 2), outcome("slow", 12), outcome("quick", 8)]
    table = render(SetResult(SETS["small"], Made(1, 1, 1), outcomes))
    full = next(line for line in table.splitlines() if line.startswith("| first full"))
    assert [cell.strip() for cell in full.split("|")[2:6]] == ["2.00 s", "12.00 s", "8.00 s", "4.00 x"]
    assert "no change" not in table


def test_what_failed_is_told_under_the_table():
    failed = Outcome("strongroom", failed="prepare: it did not start")
    table = render(SetResult(SETS["small"], Made(1, 1, 1), [failed, outcome("peer", 1)]))
    assert "strongroom failed at prepare: it did not start" in table


class Copy:
    """A backup system that is nothing but cp, to try the rounds on."""

    name = "copy"

    def __init__(self, data, work):
        self.data, self.work, self.backups = data, work, 0

    def prepare(self):
        self.work.mkdir()

    def backup(self):
        self.backups += 1
        return measure(["cp", "-a", str(self.data), str(self.work / str(self.backups))], environment=os.environ)

    def restore(self, target):
        place = target / self.data.relative_to("/")
        place.parent.mkdir(parents=True)
        return measure(["cp", "-a", str(self.work / str(self.backups)), str(place)], environment=os.environ)

    def stored_bytes(self):
        return count(self.work).size_bytes

    def job_figures(self):
        return {"backups": self.backups}


def test_the_rounds_do_every_phase_and_judge_the_restore(tmp_path):
    made = DataSet("made", "a few files", lambda root, scale: small_tree(root, round(100 * scale)))
    found = run_set(made, 0.5, [Copy], tmp_path).outcomes[0]
    assert list(found.measured) == ["full", "same", "changed", "restore"]
    assert (found.restored, found.failed) == ("identical", "")
    assert found.vault_bytes == count(tmp_path / "system-0" / "1").size_bytes
    assert found.job_figures["changed"] == {"backups": 3}


def test_a_folder_that_is_not_ours_is_never_changed(tmp_path):
    folder = tmp_path / "theirs"
    small_tree(folder, 20)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    work = tmp_path / "work"
    work.mkdir()
    found = run_set(DataSet("theirs", "", existing=folder), 1, [Copy], work).outcomes[0]
    assert list(found.measured) == ["full", "same", "restore"]
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


def test_only_a_program_that_starts_and_is_new_enough_counts(tmp_path):
    program = Path(tmp_path / "borg")
    program.write_text("#!/bin/sh\necho borg 1.2.9\n")
    program.chmod(0o755)
    assert installed(str(program), (1, 4)) is None
    assert installed(str(program), (1, 2)).version == "1.2.9"
    assert installed(str(tmp_path / "nothing"), (0, 0)) is None
