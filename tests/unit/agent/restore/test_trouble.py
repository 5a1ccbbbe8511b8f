"""One file's trouble is that file's; a wrong byte never gets a final name; a job that ends leaves nothing half-done."""

import errno
import itertools
import os
import secrets
import stat
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import pytest

from strongroom.agent.platform import linux_place
from strongroom.agent.restore import folders as folders_module
from strongroom.agent.restore.fetch import MOST_BYTES, Fetcher
from strongroom.agent.restore.folders import Folders
from strongroom.agent.restore.trouble import TargetFull
from strongroom.engine.content.blocks import make_block
from strongroom.engine.format.block import MAX_CHUNK_BYTES as CHUNKS_MOST
from strongroom.engine.format.block import Block, BlockKind, Method, encode_block
from strongroom.engine.format.ids import chunk_id
from strongroom.errors import Damaged, Refused
from strongroom.model.entry import Entry, EntryType, Stat
from strongroom.protocol.messages import ListedFolder
from tests.unit.agent.restore.conftest import Stopped
from tests.unit.agent.restore.taken import CHUNK, KEY, TakenSnapshot, look_at


@pytest.fixture
def top(tmp_path):
    top = tmp_path / "source"
    (top / "sub").mkdir(parents=True)
    (top / "good").write_bytes(b"good")
    (top / "bad").write_bytes(b"bad")
    (top / "sub" / "large").write_bytes(os.urandom(20 * CHUNK))
    (top / "sub" / "other").write_bytes(b"other")
    return top


def leftovers(folder):
    return [name for _, below, files in os.walk(folder) for name in below + files if name.startswith(".strongroom")]


def test_a_chunk_that_the_server_lacks_costs_only_its_files(top, tmp_path, restore):
    snapshot = TakenSnapshot().take(top)
    snapshot.spoiled |= {snapshot.entry_ids("bad"), snapshot.all_ids("sub/large")[17]}
    report, heard = restore(snapshot, tmp_path / "target")
    target = os.fsencode(tmp_path / "target")
    assert heard.reasons() == {target + b"/bad": "read_error", target + b"/sub/large": "read_error"}
    assert (report.state, report.restore.files_failed) == ("successful_with_errors", 2)
    assert (tmp_path / "target" / "sub" / "other").read_bytes() == b"other"
    assert not (tmp_path / "target" / "sub" / "large").exists()
    assert leftovers(tmp_path / "target") == []


def test_an_old_file_stays_when_the_new_one_is_damaged(top, tmp_path, restore):
    snapshot = TakenSnapshot().take(top)
    snapshot.spoiled.add(snapshot.entry_ids("bad"))
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "bad").write_text("mine")
    restore(snapshot, tmp_path / "target")
    assert (tmp_path / "target" / "bad").read_text() == "mine"


class Liar(TakenSnapshot):
    """Sends other bytes under the id of a chunk."""

    def blocks(self, ids, room=0):
        for one in ids:
            data = self.chunks[one]
            if one in self.spoiled:
                data = bytes([data[0] ^ 1]) + data[1:]
            yield encode_block(Block(BlockKind.DATA, Method.STORED, (one,), (len(data),), data))


class Failing(TakenSnapshot):
    """Fails over some chunks, in the middle of an answer."""

    def blocks(self, ids, room=0):
        for one in ids:
            if one in self.spoiled:
                raise Damaged("A pack is damaged.")
            yield from super().blocks([one])


class Babbling(TakenSnapshot):
    """Sends what is no block before each answer."""

    def blocks(self, ids, room=0):
        yield b"no block"
        yield from super().blocks(ids)


@pytest.mark.parametrize("kind", [Liar, Failing])
def test_a_wrong_byte_never_gets_a_final_name(top, tmp_path, restore, kind):
    snapshot = kind().take(top)
    snapshot.spoiled |= {snapshot.entry_ids("bad"), snapshot.all_ids("sub/large")[3]}
    report, heard = restore(snapshot, tmp_path / "target")
    assert sorted(os.path.basename(file.path) for file in heard.files) == [b"bad", b"large"]
    assert (tmp_path / "target" / "good").read_bytes() == b"good"
    assert (tmp_path / "target" / "sub" / "other").read_bytes() == b"other"
    assert report.restore.files_restored == 2


def test_nonsense_between_blocks_is_passed_over(top, tmp_path, restore):
    _, heard = restore(Babbling().take(top), tmp_path / "target")
    assert heard.files == []
    assert look_at(tmp_path / "target") == look_at(top)


def test_a_damaged_list_of_chunks_costs_only_its_file(top, tmp_path, restore):
    snapshot = TakenSnapshot(lists=True).take(top)
    snapshot.spoiled.add(snapshot.all_ids("sub/large")[0])
    _, heard = restore(snapshot, tmp_path / "target")
    assert [os.path.basename(file.path) for file in heard.files] == [b"large"]


def test_a_refusal_ends_the_job(top, tmp_path, restore):
    class Refusing(TakenSnapshot):
        def blocks(self, ids, room=0):
            raise Refused("The grant does not cover this.", code="not_granted")

    with pytest.raises(Refused):
        restore(Refusing().take(top), tmp_path / "target")
    assert leftovers(tmp_path / "target") == []


def test_a_leaf_that_is_none_ends_the_job(tmp_path, restore):
    snapshot = TakenSnapshot()
    snapshot.folders.append(ListedFolder(b"", b"nonsense"))
    with pytest.raises(Damaged):
        restore(snapshot, tmp_path / "target")


def test_a_listing_that_leads_outside_is_listed(top, tmp_path, restore):
    snapshot = TakenSnapshot()
    snapshot.list(b"../outside", [snapshot.entry(os.fsencode(top / "good"), b"good")])
    report, heard = restore(snapshot, tmp_path / "target")
    assert [file.reason.value for file in heard.files] == ["outside_target"]
    assert not (tmp_path / "outside").exists()
    assert report.state == "successful_with_errors"


def test_a_cancelled_restore_leaves_no_temporary_file(top, tmp_path, restore):
    for number in range(2000):
        (top / f"f{number % 20}").mkdir(exist_ok=True)
        (top / f"f{number % 20}" / f"n{number}").write_text(str(number))
    with pytest.raises(Stopped):
        restore(TakenSnapshot().take(top), tmp_path / "target", stop_after=30)
    assert leftovers(tmp_path / "target") == []
    assert leftovers(tmp_path / "spool") == []


def test_a_full_disk_ends_the_job(top, tmp_path, restore, monkeypatch):
    def full(handle, data, offset=0):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(linux_place, "write_all", full)
    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(TargetFull):
        restore(TakenSnapshot().take(top), tmp_path / "target")
    assert leftovers(tmp_path / "target") == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
@pytest.mark.parametrize("kind", ["ordinary", "replaced"])
def test_a_disk_that_fills_up_in_the_middle_keeps_whole_files_only(tmp_path, kind):
    program = textwrap.dedent(
        """
        import os, sys
        from pathlib import Path
        from strongroom.agent.restore.run import run_restore
        from strongroom.agent.restore.trouble import TargetFull
        from strongroom.model.policy import ConflictMode
        from strongroom.protocol.messages import RestoreOrder
        from tests.unit.agent.restore.conftest import Heard
        from tests.unit.agent.restore.taken import KEY, TakenSnapshot
        top, target, spool, kind = sys.argv[1:]
        if kind == "replaced":
            for number in range(100):
                Path(target, f"{number}").write_text("mine")
        order = RestoreOrder(7, "snapshot", (), target, ConflictMode.OVERWRITE, "grant", KEY)
        try:
            run_restore(order, TakenSnapshot().take(top), Path(spool), Heard())
        except TargetFull:
            for path in Path(target).rglob("*"):
                print(path.name, path.stat().st_size, oct(path.stat().st_mode))
        """
    )
    top, disk = tmp_path / "source", tmp_path / "disk"
    disk.mkdir()
    top.mkdir()
    for number in range(300):
        (top / f"{number}").write_bytes(b"%d" % number * 3000)
        (top / f"{number}").chmod(0o644)
    mount = 'mount -t tmpfs -o size=1m small "$0" && exec "$@"'
    command = [sys.executable, "-c", program, str(top), str(disk), str(tmp_path / "spool"), kind]
    answer = subprocess.run(
        ["unshare", "--mount", "sh", "-c", mount, str(disk), *command], capture_output=True, text=True, check=True
    )
    there = [line.split() for line in answer.stdout.splitlines()]
    assert len(there) > 50
    for name, size, mode in there:
        assert (int(size), mode) in {(len(name) * 3000, "0o100644"), (len("mine"), "0o100644")}


def test_a_temporary_name_that_is_taken_does_not_matter(top, tmp_path, restore, monkeypatch):
    (tmp_path / "target" / ".strongroom-restore-7-first").mkdir(parents=True)
    names = itertools.chain(["first", "first"], map(str, itertools.count()))
    monkeypatch.setattr(secrets, "token_hex", lambda _: next(names))
    os.mkfifo(top / "pipe")
    _, heard = restore(TakenSnapshot().take(top), tmp_path / "target")
    assert heard.files == []


def test_nobody_can_take_all_temporary_names(tmp_path, restore):
    theirs, ours = tmp_path / "source" / "a", tmp_path / "source" / "b"
    theirs.mkdir(parents=True)
    ours.mkdir()
    for number in range(300):
        (theirs / f"{number}").write_bytes(b"%d" % number)
    (ours / "file").write_bytes(b"ours")
    in_the_way = tmp_path / "target" / "a"
    in_the_way.mkdir(parents=True)
    for length in range(235):
        (in_the_way / (".strongroom-restore-7" + length * "+")).touch()
    _, heard = restore(TakenSnapshot().take(tmp_path / "source"), tmp_path / "target")
    assert heard.files == []
    assert (tmp_path / "target" / "b" / "file").read_bytes() == b"ours"


def linked(name, content, size):
    stat = Stat(name, EntryType.FILE, 0o644, os.getuid(), os.getgid(), size, 10**18, 0, 5, nlink=2, device=9)
    return Entry(stat, content=(content,))


def folder(name):
    return Entry(Stat(name, EntryType.FOLDER, 0o755, os.getuid(), os.getgid(), 0, 10**18, 0, 6), subtree=b"f" * 32)


def test_an_inode_that_was_given_to_another_file_during_the_backup_joins_nothing(tmp_path, restore):
    snapshot = TakenSnapshot()
    files = [(b"a", b"one"), (b"b", b"other")]
    snapshot.list(b"", [linked(name, snapshot.keep(data), len(data)) for name, data in files])
    _, heard = restore(snapshot, tmp_path / "target")
    assert heard.files == []
    assert (tmp_path / "target" / "a").read_bytes() == b"one"
    assert (tmp_path / "target" / "b").read_bytes() == b"other"


def test_what_took_the_place_of_the_first_name_is_not_linked_to(tmp_path, restore, monkeypatch):
    snapshot = TakenSnapshot()
    content = snapshot.keep(b"right")
    snapshot.list(b"a", [linked(b"x", content, 5)])
    snapshot.list(b"b", [linked(b"y", content, 5)])
    snapshot.list(b"", [folder(b"a"), folder(b"b")])
    target = tmp_path / "target"
    make_link = linux_place.make_link

    def swap(*where):
        (target / "a" / "swapped").write_bytes(b"wrong")
        (target / "a" / "swapped").replace(target / "a" / "x")
        make_link(*where)

    monkeypatch.setattr(linux_place, "make_link", swap)
    _, heard = restore(snapshot, target)
    assert (target / "b" / "y").read_bytes() == b"right"
    assert heard.reasons() == {os.fsencode(target / "b" / "y"): "metadata"}
    assert leftovers(target) == []


def test_a_snapshot_that_lies_about_sizes_does_not_fill_the_memory():
    chunks = {chunk_id(KEY, data): data for data in (b"%04d" % number + bytes(CHUNKS_MOST - 4) for number in range(20))}

    class Source:
        def blocks(self, ids, room=0):
            return (encode_block(make_block(BlockKind.DATA, [(one, chunks[one])])) for one in ids)

    got = Fetcher(Source(), KEY).fetch(list(chunks))
    assert 0 < sum(map(len, got.values())) <= MOST_BYTES < 20 * CHUNKS_MOST


def test_a_group_whose_first_name_fails_is_restored_by_its_second(tmp_path, restore):
    top = tmp_path / "source"
    (top / "a").mkdir(parents=True)
    (top / "b").mkdir()
    (top / "a" / "first").write_bytes(os.urandom(7 * CHUNK))
    os.link(top / "a" / "first", top / "b" / "second")
    os.link(top / "a" / "first", top / "b" / "third")
    target = tmp_path / "target"
    (target / "a" / "first").mkdir(parents=True)
    (target / "a" / "first" / "full").write_text("in the way")
    _, heard = restore(TakenSnapshot().take(top), target)
    assert [os.path.basename(file.path) for file in heard.files] == [b"first"]
    assert (target / "b" / "second").read_bytes() == (top / "a" / "first").read_bytes()
    assert (target / "b" / "second").stat().st_ino == (target / "b" / "third").stat().st_ino


def test_few_folders_stay_open_however_deep_it_goes(tmp_path, monkeypatch):
    monkeypatch.setattr(folders_module, "MAX_OPEN", 4)
    parts = tuple(b"%d" % depth for depth in range(40))
    os.makedirs(os.path.join(os.fsencode(tmp_path), *parts, b"x"))
    target = os.open(tmp_path, os.O_RDONLY)
    folders = Folders(target)
    before = len(os.listdir("/proc/self/fd"))
    for depth in (40, 3, 40, 20, 0, 1, 39, 38, 37):
        folder = folders.enter(parts[:depth])
        assert os.path.samestat(os.fstat(folder.handle), os.stat(os.path.join(os.fsencode(tmp_path), *parts[:depth])))
        assert len(os.listdir("/proc/self/fd")) - before <= 5
    folders.close()
    assert len(os.listdir("/proc/self/fd")) == before
    os.close(target)


@pytest.fixture
def public_folder():
    """A folder that every user may enter; pytest's own are private."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give up being root")
def test_what_an_ordinary_user_cannot_set_is_listed_and_no_set_user_id_bit_is_left(public_folder):
    """Runs the restore in a process that has given up being root."""
    top = public_folder / "source"
    (top / "locked").mkdir(parents=True)
    (top / "locked" / "file").write_text("in a read-only folder")
    (top / "mine").write_text("mine")
    (top / "root's").write_text("root's")
    os.mknod(top / "null", 0o20666, os.makedev(1, 3))
    os.chmod(top / "root's", 0o6755)
    os.setxattr(top / "mine", "trusted.secret", b"1")
    os.setxattr(top / "mine", "user.fine", b"1")
    for name in ("mine", "locked", "locked/file"):
        os.chown(top / name, 1234, 1234)
    os.chmod(top / "mine", 0o400)
    os.chmod(top / "locked", 0o500)
    target = public_folder / "target"
    (target / "locked").mkdir(parents=True)
    (target / "locked" / "file").write_text("old")
    (target / "locked").chmod(0o500)
    for place in (target, target / "locked", target / "locked" / "file"):
        os.chown(place, 1234, 1234)
    out = subprocess.run(
        [sys.executable, "-c", AS_USER, str(top), str(target)], capture_output=True, text=True, check=False
    )
    assert out.returncode == 0, out.stderr
    assert out.stdout.splitlines() == [
        "successful_with_errors",
        "mine metadata attribute trusted.secret: EPERM",
        "null unsupported only root can make device nodes (EPERM)",
        "root's metadata owner 0:0: EPERM",
    ]
    assert stat.S_IMODE((target / "root's").stat().st_mode) == 0o755
    assert stat.S_IMODE((target / "mine").stat().st_mode) == 0o400
    assert os.getxattr(target / "mine", "user.fine") == b"1"
    assert (target / "locked" / "file").read_text() == "in a read-only folder"
    assert stat.S_IMODE((target / "locked").stat().st_mode) == 0o500


AS_USER = textwrap.dedent("""
    import os, sys
    from pathlib import Path
    from strongroom.agent.restore.run import run_restore
    from strongroom.model.policy import ConflictMode
    from strongroom.protocol.messages import RestoreOrder
    from tests.unit.agent.restore.conftest import Heard
    from tests.unit.agent.restore.taken import KEY, TakenSnapshot
    snapshot = TakenSnapshot().take(sys.argv[1])
    spool = os.path.join(os.path.dirname(sys.argv[1]), "spool")
    os.mkdir(spool)
    os.chown(spool, 1234, 1234)
    os.setgroups([])
    os.setgid(1234)
    os.setuid(1234)
    heard = Heard()
    order = RestoreOrder(7, "s", (), sys.argv[2], ConflictMode.OVERWRITE, "g", KEY)
    print(run_restore(order, snapshot, Path(spool), heard).state.value)
    for file in sorted(heard.files, key=lambda file: file.path):
        print(os.path.basename(file.path).decode(), file.reason.value, file.detail)
""")
