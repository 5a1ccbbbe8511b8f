"""A kill in the middle of a restore leaves nothing behind that the agent's next start does not remove."""

import os
import signal
import subprocess
import sys
import textwrap

import pytest

from strongroom.agent.restore.unfinished import Unfinished, sweep
from tests.unit.agent.restore.taken import TakenSnapshot, look_at

TEMPORARY = ".strongroom-restore-7-abc"


@pytest.fixture
def left_behind(tmp_path):
    """Leave a note as a killed agent does: what was noted never came to its end."""
    target = tmp_path / "target"
    (target / "fresh").mkdir(parents=True)
    notes = Unfinished(tmp_path / "spool", os.fsencode(target), 7)
    work = notes.noted([(b"fresh",), (b"gone",), ()], [(b"fresh", b"own")])
    work.__enter__()
    yield target
    work.__exit__(None, None, None)


def test_what_is_unfinished_goes_and_all_else_stays(tmp_path, left_behind):
    target = left_behind
    (target / TEMPORARY).write_text("half")
    (target / ".strongroom-restore-8-abc").write_text("another job's")
    (target / "fresh" / TEMPORARY).touch(mode=0)
    (target / "fresh" / "theirs").touch(mode=0)
    sweep(tmp_path / "spool")
    assert sorted(os.listdir(target)) == [".strongroom-restore-8-abc", "fresh"]
    assert sorted(os.listdir(target / "fresh")) == ["theirs"]
    assert os.listdir(tmp_path / "spool" / "unfinished") == []


def test_a_folder_that_was_being_filled_goes_with_its_files(tmp_path, left_behind):
    own = left_behind / "fresh" / "own"
    filled = own / TEMPORARY
    filled.mkdir(mode=0o700, parents=True)
    (filled / "whole").write_text("whole")
    (filled / "part").touch(mode=0)
    (own / "finished").mkdir()
    (own / "finished" / "stays").touch()
    sweep(tmp_path / "spool")
    assert os.listdir(own) == ["finished"]
    assert os.listdir(own / "finished") == ["stays"]
    assert os.listdir(tmp_path / "spool" / "unfinished") == []


@pytest.mark.parametrize(("where", "mode"), [("fresh", 0o700), ("fresh", 0o755), ("fresh/own", 0o755)])
def test_a_folder_that_somebody_gave_such_a_name_keeps_what_is_in_it(tmp_path, left_behind, where, mode):
    """Where others can be, they may rename a folder that they could not empty; what is not as we make it stays too."""
    theirs = left_behind / where / TEMPORARY
    theirs.mkdir(parents=True)
    (theirs / "precious").touch()
    theirs.chmod(mode)
    sweep(tmp_path / "spool")
    assert os.listdir(theirs) == ["precious"]
    assert os.listdir(tmp_path / "spool" / "unfinished") == []


def test_a_folder_that_holds_folders_is_none_of_ours(tmp_path, left_behind):
    inner = left_behind / "fresh" / "own" / TEMPORARY / "inner"
    inner.mkdir(parents=True)
    inner.parent.chmod(0o700)
    sweep(tmp_path / "spool")
    assert inner.is_dir()


def test_a_link_in_the_place_of_a_folder_leads_nowhere(tmp_path, left_behind):
    target = left_behind
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / TEMPORARY).touch()
    (target / "fresh").rmdir()
    (target / "fresh").symlink_to(outside)
    sweep(tmp_path / "spool")
    assert sorted(os.listdir(outside)) == [TEMPORARY]


def test_a_target_that_is_not_there_is_looked_at_again_later(tmp_path, left_behind):
    target = left_behind
    (target / TEMPORARY).touch()
    target.rename(tmp_path / "unmounted")
    sweep(tmp_path / "spool")
    (tmp_path / "unmounted").rename(target)
    sweep(tmp_path / "spool")
    assert os.listdir(target) == ["fresh"]


def test_a_note_that_was_cut_off_does_no_harm(tmp_path, left_behind):
    target = left_behind
    (note,) = (tmp_path / "spool" / "unfinished").iterdir()
    note.write_bytes(note.read_bytes()[:-3])
    sweep(tmp_path / "spool")
    assert os.listdir(target) == ["fresh"]
    assert os.listdir(tmp_path / "spool" / "unfinished") == []


def test_there_need_be_no_spool(tmp_path):
    sweep(tmp_path / "spool")


def test_a_killed_restore_is_cleaned_up_and_begun_again(tmp_path, restore):
    """Kill a real process while it writes; sweep; what is there then is whole, and a second restore gets the rest."""
    program = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from tests.unit.agent.restore.conftest import Heard
        from tests.unit.agent.restore.taken import KEY, TakenSnapshot
        from strongroom.agent.restore.run import run_restore
        from strongroom.model.policy import ConflictMode
        from strongroom.protocol.messages import RestoreOrder
        top, target, spool = sys.argv[1:]
        snapshot = TakenSnapshot().take(top)
        print("ready", flush=True)
        order = RestoreOrder(7, "snapshot", (), target, ConflictMode.OVERWRITE, "grant", KEY)
        run_restore(order, snapshot, Path(spool), Heard())
        """
    )
    top, target = tmp_path / "source", tmp_path / "target"
    for number in range(3000):
        folder = top / "deep" / f"f{number % 30}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"n{number}").write_bytes(b"%d" % number * 500)
    command = [sys.executable, "-c", program, str(top), str(target), str(tmp_path / "spool")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    process.stdout.readline()
    while process.poll() is None and not (target / "deep" / "f2").exists():
        pass
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    sweep(tmp_path / "spool")
    for folder, _, names in os.walk(target):
        for name in names:
            was = top / os.path.relpath(folder, target) / name
            assert (target / folder / name).read_bytes() == was.read_bytes()
    _, heard = restore(TakenSnapshot().take(top), target)
    assert heard.files == []
    assert look_at(target) == look_at(top)


def test_a_file_that_cannot_be_written_whole_is_not_there(tmp_path):
    """Writing beyond the limit of file sizes fails half-way, as on a full disk."""
    program = textwrap.dedent(
        """
        import os, resource, signal, sys
        from strongroom.kernel.placing import place
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
        folder = os.open(sys.argv[1], os.O_RDONLY)
        files = [(b"small", b"s", 0o644, os.getuid(), os.getgid(), 0), (b"big", b"b" * 20_000, 0o644, 0, 0, 0)]
        print(place(folder, [((), files, False)], 0, b".temporary"), sorted(os.listdir(folder)))
        """
    )
    answer = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True)
    assert answer.stdout == "[[0, 27]] ['small']\n"
