"""The benchmark's own parts can be trusted: what it counts is right, and its ratios have the right way round."""

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.bare import Bare, Limits
from bench.fetch import Program, installed
from bench.meter import Failed, Measured, family, measure
from bench.rounds import Outcome, Round, SetResult
from bench.sets import SETS, DataSet, count
from bench.systems import PEERS, Peer
from bench.table import render
from bench.targets import TARGETS, verdict
from strongroom.testing.file_trees import Made, small_tree

MIB = 1 << 20
HOLD = "import sys, time; held = b'x' * (int(sys.argv[1]) << 20); time.sleep(float(sys.argv[2]))"


def hold(size_mib, seconds):
    return [sys.executable, "-c", HOLD, str(size_mib), str(seconds)]


def test_time_and_memory_of_one_command():
    found = measure(hold(200, 0.5), environment=os.environ)
    assert 0.5 < found.seconds < 10
    assert 200 * MIB < found.largest_bytes < 300 * MIB
    assert 200 * MIB < found.shared_out_bytes <= found.sum_bytes < 300 * MIB


def test_a_small_command_is_not_given_the_size_of_who_starts_it():
    ballast = b"x" * (300 * MIB)
    assert measure(["sleep", "0.3"], environment=os.environ).largest_bytes < 50 * MIB
    del ballast


def test_children_and_residents_count_in_the_sum():
    resident = subprocess.Popen(hold(100, 30))
    try:
        code = f"import subprocess, sys; subprocess.run({hold(150, 2)!r})"
        found = measure([sys.executable, "-c", code], environment=os.environ, residents={"agent": resident.pid})
    finally:
        resident.kill()
        resident.wait()
    assert 150 * MIB < found.resident_bytes["command"] < 220 * MIB
    assert 100 * MIB < found.resident_bytes["agent"] < 150 * MIB
    assert found.largest_bytes == found.resident_bytes["command"]
    assert 250 * MIB < found.shared_out_bytes < found.sum_bytes < 350 * MIB


def test_memory_that_processes_share_is_shared_out():
    code = """
import mmap, os, time
held = mmap.mmap(-1, 100 << 20)
held.write(b"x" * (100 << 20))
if not os.fork():
    held.seek(0), held.read(100 << 20)
time.sleep(2)
"""
    found = measure([sys.executable, "-c", code], environment=os.environ)
    assert 100 * MIB < found.shared_out_bytes < 250 * MIB


def test_cpu_time_of_residents_counts_only_while_measured():
    spin = "import time\nwhile True: pass"
    resident = subprocess.Popen([sys.executable, "-c", spin])
    try:
        found = measure(["sleep", "0.5"], environment=os.environ, residents={"agent": resident.pid})
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


def outcome(key, seconds):
    cost = Measured(seconds, seconds, {"command": 10 * MIB}, 20 * MIB, 30 * MIB, "")
    return Outcome(
        key, f"{key} 1.0", {"full": cost, "restore": cost}, vault_bytes=int(seconds * 10**6), restored="identical"
    )


def result(*outcomes, name="small", **limits):
    return SetResult(SETS[name], Made(1, 1, 1), list(outcomes), Limits(seconds=limits))


def cells(table, title):
    line = next(line for line in table.splitlines() if line.startswith(f"| {title}"))
    return [cell.strip() for cell in line.split("|")[2:-1]]


def test_the_ratios_are_the_better_peer_and_each_named_one_by_strongroom():
    found = result(outcome("strongroom", 2), outcome("restic", 12), outcome("borg-lz4", 8), create=1.5)
    table = render([found], "here and now", [])
    assert cells(table, "first full") == ["2.00 s", "12.00 s", "8.00 s", "", "4.00 x", "6.00 x", "4.00 x"]
    assert cells(table, "restore ") == ["2.00 s", "12.00 s", "8.00 s", "create 1.50 s", "4.00 x", "6.00 x", "4.00 x"]
    assert "| no change" not in table


def test_what_a_flush_takes_after_a_restore_is_in_a_row_of_its_own():
    ours, theirs = outcome("strongroom", 2), outcome("restic", 6)
    theirs.flush_s = 3.5
    table = render([result(ours, theirs)], "here and now", [])
    assert cells(table, "restore ") == ["2.00 s", "6.00 s", "", "3.00 x", "3.00 x"]
    assert cells(table, "restore, and on the disk") == ["2.00 s", "9.50 s", "", "4.75 x", "4.75 x"]


def test_one_table_holds_all_sets_and_a_peer_may_be_missing_in_one():
    ours = outcome("strongroom", 2)
    table = render([result(ours, outcome("restic", 4)), result(ours, name="vm")], "", ["kopia is not there."])
    rows = [line for line in table.splitlines() if line.startswith("| first full")]
    assert [row.count("|") for row in rows] == [7, 7]
    assert "2.00 x" in rows[0]
    assert "x" not in rows[1]
    assert "- kopia is not there." in table


def test_what_failed_is_told_under_the_table():
    failed = Outcome("strongroom", "strongroom", failed="prepare: it did not start")
    table = render([result(failed, outcome("restic", 1))], "", [])
    assert "small: strongroom failed at prepare: it did not start" in table


def judged(found):
    return {(about, wish): (measured, said) for about, wish, measured, said in verdict([found])}


def test_a_promise_is_met_or_not_or_not_measured():
    found = judged(result(outcome("strongroom", 2), outcome("restic", 9), outcome("borg-lz4", 6)))
    assert found["small: first full", "≥ 4 x the better peer"] == ("3.00 x", "NOT MET")
    assert found["small: vault after first full", "≥ 1.25 x restic"] == ("4.50 x", "met")
    assert found["small: no change", "≥ 8 x restic"] == ("not measured", "")
    assert found["vm: first full", "≥ 2 x restic"] == ("not measured", "")
    assert len(verdict([])) == len(TARGETS)


@pytest.mark.parametrize(("create", "expected"), [(1.7, "met"), (1.5, "NOT MET")])
def test_a_restore_may_be_near_the_bare_machine_instead_of_far_ahead(create, expected):
    found = judged(result(outcome("strongroom", 2), outcome("restic", 3), create=create))
    assert found["small: restore", "≥ 2 x the better peer, or ≤ 1.25 x bare create"][1] == expected


def test_the_fixed_part_of_a_limit_is_taken_off_first():
    ours = outcome("strongroom", 1.8)
    ours.measured["same"] = ours.measured["full"]
    found = judged(result(ours, name="tree1m", walk=1))
    assert found["tree1m: no change", "≤ 1.5 x bare walk + 0.3 s"] == ("1.50 x bare", "met")


def test_the_bare_machine_sees_and_makes_every_file(tmp_path):
    data = tmp_path / "data"
    made = small_tree(data, 300)
    (data / "link").symlink_to("nowhere")
    bare = Bare(data, tmp_path / "bare")
    bare.read()
    bare.walk()
    bare.create(tmp_path / "created")
    bare.measure_speeds()
    assert bare.limits.files == made.files
    assert bare.limits.entries == made.files + made.folders - 1 + 1
    assert count(tmp_path / "created") == made
    assert all(speed > 0 for speed in [*bare.limits.seconds.values(), *bare.limits.speeds.values()])
    assert 0 < bare.limits.shrunk_to["zstd 3"] <= bare.limits.shrunk_to["zstd 1"] < 1


class Copy:
    """A backup system that is nothing but cp, to try the rounds on."""

    key = name = "copy"

    def __init__(self, data, work):
        self.data, self.work, self.storage, self.backups = data, work, work, 0

    def awake(self):
        return contextlib.nullcontext()

    def prepare(self):
        self.work.mkdir()

    def backup(self):
        self.backups += 1
        return measure(["cp", "-a", str(self.data), str(self.work / str(self.backups))], environment=os.environ)

    def restore(self, target):
        place = target / self.data.relative_to("/")
        place.parent.mkdir(parents=True)
        return measure(["cp", "-a", str(self.work / str(self.backups)), str(place)], environment=os.environ)


class LaterCopy(Copy):
    key = name = "later"


def test_the_rounds_do_every_phase_and_judge_the_restore(tmp_path):
    made = DataSet("made", "a few files", make=lambda root, scale: small_tree(root, round(100 * scale)))
    done = Round(made, 0.5, {"copy": Copy}, tmp_path).run()
    found = done.outcomes[0]
    assert list(found.measured) == ["full", "same", "changed", "restore"]
    assert (found.restored, found.failed) == ("identical", "")
    assert found.flush_s > 0
    assert [change.output for change in found.changes] == [""] * 3
    assert found.measured["changed"] == sorted(found.changes, key=lambda change: change.seconds)[1]
    assert found.vault_bytes == count(tmp_path / "system-0" / "1").size_bytes
    assert set(done.limits.seconds) == {"read", "walk", "create"}


def test_everyone_begins_in_turn(tmp_path, capsys):
    made = DataSet("made", "a few files", make=lambda root, _: small_tree(root, 20), without=("third",))
    Round(made, 1, {"copy": Copy, "later": LaterCopy, "third": Copy}, tmp_path).run()
    order = [line.split(": ")[-2] for line in capsys.readouterr().err.splitlines() if " s" in line.split(": ")[-1]]
    assert order == ["copy", "later", "later", "copy"] * 3


def test_a_folder_that_is_not_ours_is_never_changed(tmp_path):
    folder = tmp_path / "theirs"
    small_tree(folder, 20)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    work = tmp_path / "work"
    work.mkdir()
    found = Round(DataSet("theirs", "", existing=folder), 1, {"copy": Copy}, work).run().outcomes[0]
    assert list(found.measured) == ["full", "same", "restore"]
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


@pytest.mark.parametrize("key", PEERS)
def test_a_recipe_fills_in_every_word(key, tmp_path):
    echo = tmp_path / "echo"
    echo.write_text('#!/bin/sh\necho "$@"\nenv\n')
    echo.chmod(0o755)
    peer = Peer(key, Program(str(echo), "1.2.3"), Path("/some/data"), tmp_path / "work")
    peer.prepare()
    for said in (peer.backup().output, peer.restore(tmp_path).output):
        assert "{" not in said.splitlines()[0]
        assert str(tmp_path / "work") in said
    assert "/some/data" in peer.backup().output.splitlines()[0]
    assert peer.name.startswith(f"{key.partition('-')[0]} 1.2.3")


def test_the_whole_benchmark_with_the_real_product(tmp_path):
    asked = ["--quick", "--scale", "0.0005", "--peers", "", "--markdown", "found.md", "--json", "found.json"]
    root = Path(__file__).parents[3]
    path = os.pathsep.join([str(root), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-m", "bench", *asked, "--work", str(tmp_path / "work")],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "found.md").read_text() == done.stdout
    assert "| small: restored " in done.stdout
    raw = json.loads((tmp_path / "found.json").read_text())["sets"][0]["systems"][0]
    assert set(raw["measured"]) == {"full", "same", "changed", "restore"}
    assert set(raw["measured"]["full"]["resident_bytes"]) == {"agent", "server", "command"}
    assert raw["measured"]["full"]["job"]["state"] == "successful"
    assert list((tmp_path / "work").iterdir()) == []


def test_only_a_program_that_starts_and_is_new_enough_counts(tmp_path):
    program = Path(tmp_path / "borg")
    program.write_text("#!/bin/sh\necho borg 1.2.9\n")
    program.chmod(0o755)
    assert installed(str(program), (1, 4)) is None
    assert installed(str(program), (1, 2)).version == "1.2.9"
    assert installed(str(tmp_path / "nothing"), (0, 0)) is None
