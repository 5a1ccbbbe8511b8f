"""What is right in the target already is not fetched again, whatever its size; what only looks right is."""

import os
import random

import pytest

from strongroom.agent.restore.unfinished import sweep
from strongroom.engine.content.chunking import cut_bytes
from strongroom.engine.format.block import Block, BlockKind, Method, encode_block
from strongroom.engine.format.keys import ContentKeys
from strongroom.engine.format.tree import encode_list
from strongroom.errors import Unavailable
from strongroom.model.cutting import FIRST_CUTTING
from strongroom.model.policy import ConflictMode
from tests.unit.agent.restore.taken import CUT, KEY, TakenSnapshot, look_at


class CutSnapshot(TakenSnapshot):
    """Cuts content as a backup does."""

    def content(self, path, extents):
        with open(path, "rb") as file:
            pieces = [bytes(piece) for piece in cut_bytes(file.read(), ContentKeys(KEY, CUT, FIRST_CUTTING))]
        ids = [self.keep(piece) for piece in pieces]
        if not self.lists or len(ids) < 2:
            return tuple(ids), 0
        return (self.keep(encode_list(ids, list(map(len, pieces)), 0)),), 1

    def blocks(self, ids, room=0):
        self.asked.append(list(ids))
        for one in ids:
            data = self.chunks[one]
            yield encode_block(Block(BlockKind.DATA, Method.STORED, (one,), (len(data),), data))

    def fetched(self):
        return sum(len(self.chunks[one]) for asked in self.asked for one in asked)


@pytest.fixture
def top(tmp_path):
    top = tmp_path / "source"
    top.mkdir()
    noise = random.Random(1)
    (top / "large").write_bytes(noise.randbytes(7 << 20))
    (top / "medium").write_bytes(noise.randbytes(300_000))
    (top / "small").write_bytes(noise.randbytes(5000))
    (top / "empty").touch()
    for path in top.iterdir():
        os.utime(path, (1000, 1000))
    return top


@pytest.mark.parametrize("lists", [False, True])
@pytest.mark.parametrize("mode", list(ConflictMode))
def test_nothing_is_fetched_for_what_is_right(top, tmp_path, restore, lists, mode):
    snapshot = CutSnapshot(lists=lists).take(top)
    restore(snapshot, tmp_path / "target")
    (tmp_path / "target" / "large").chmod(0o600)
    snapshot.asked.clear()
    report, _ = restore(snapshot, tmp_path / "target", conflict=mode)
    assert snapshot.fetched() < 1000  # nothing but a list of chunks
    assert report.restore.files_restored == 0
    is_set = mode not in {ConflictMode.SKIP, ConflictMode.OVERWRITE_OLDER}
    assert (look_at(tmp_path / "target") == look_at(top)) is is_set


def test_bytes_count_and_times_do_not(top, tmp_path, restore):
    snapshot = CutSnapshot().take(top)
    restore(snapshot, tmp_path / "target")
    os.utime(tmp_path / "target" / "large")
    with open(tmp_path / "target" / "medium", "r+b") as file:
        file.seek(250_000)
        file.write(b"\0")
    os.utime(tmp_path / "target" / "medium", (1000, 1000))
    snapshot.asked.clear()
    report, _ = restore(snapshot, tmp_path / "target")
    assert snapshot.fetched() == 300_000
    assert (report.restore.files_restored, report.restore.files_unchanged) == (1, 3)
    assert look_at(tmp_path / "target") == look_at(top)


def test_one_more_byte_is_not_the_same(top, tmp_path, restore):
    snapshot = CutSnapshot().take(top)
    restore(snapshot, tmp_path / "target")
    for name in ("large", "small", "empty"):
        with open(tmp_path / "target" / name, "ab") as file:
            file.write(b"\0")
    restore(snapshot, tmp_path / "target")
    assert look_at(tmp_path / "target") == look_at(top)


def test_a_restore_that_was_broken_off_fetches_only_the_rest(tmp_path, restore):
    top = tmp_path / "source"
    noise = random.Random(2)
    for number in range(12):
        (top / f"f{number:02}").mkdir(parents=True)
        (top / f"f{number:02}" / "file").write_bytes(noise.randbytes(6 << 20))

    class Ending(CutSnapshot):
        """Breaks down after the first requests."""

        def blocks(self, ids, room=0):
            if len(self.asked) == 2:
                raise Unavailable("The server is gone.")
            yield from super().blocks(ids)

    snapshot = Ending().take(top)
    with pytest.raises(Unavailable):
        restore(snapshot, tmp_path / "target")
    sweep(tmp_path / "spool")
    done = sum(path.stat().st_size for path in (tmp_path / "target").rglob("file"))
    assert 0 < done < 72 << 20
    again = CutSnapshot()
    again.chunks, again.folders = snapshot.chunks, snapshot.folders
    restore(again, tmp_path / "target")
    assert again.fetched() == (72 << 20) - done
    assert look_at(tmp_path / "target") == look_at(top)


def test_a_hole_is_not_the_zeros_that_were_written(tmp_path, restore):
    top = tmp_path / "source"
    top.mkdir()
    (top / "zeros").write_bytes(bytes(2 << 20))
    snapshot = CutSnapshot().take(top)
    restore(snapshot, tmp_path / "target")
    (tmp_path / "target" / "zeros").write_bytes(b"")
    os.truncate(tmp_path / "target" / "zeros", 2 << 20)
    os.utime(tmp_path / "target" / "zeros", ns=(0, (top / "zeros").stat().st_mtime_ns))
    restore(snapshot, tmp_path / "target")
    assert look_at(tmp_path / "target") == look_at(top)
