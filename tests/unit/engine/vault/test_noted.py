"""What is noted of nodes spares a commit reading them back, changes no answer, and stays within its memory."""

import random
from array import array

import pytest

from strongroom.engine.content.blocks import make_block
from strongroom.engine.format.block import BlockKind
from strongroom.engine.format.ids import chunk_id
from strongroom.engine.format.tree import encode_inner
from strongroom.engine.vault.bitmaps import decode_bitmap
from strongroom.engine.vault.noted import NotedReferences, References
from strongroom.errors import Damaged
from strongroom.testing.vault_driver import back_up, read_back


def some_folder(rng):
    names = [b"%04d" % rng.randrange(900) for _ in range(300)]
    return {
        name: {b"inner": rng.randbytes(20), b"same": b"same"} if rng.random() < 0.1 else rng.randbytes(30)
        for name in names
    }


def changed(folder, rng):
    folder = dict(folder)
    for name in rng.sample(sorted(folder), 12):
        del folder[name]
    folder |= {b"%04d" % rng.randrange(900): rng.randbytes(30) for _ in range(12)}
    return folder


def forbid_reading(place, monkeypatch):
    def read(*_):
        raise Damaged("A pack was read.", code="bad_pack")

    monkeypatch.setattr(place.vault._core.files, "plain", read)


def test_a_commit_does_not_read_back_what_was_put(place, monkeypatch):
    rng = random.Random(1)
    folder = some_folder(rng)
    with monkeypatch.context() as patched:
        forbid_reading(place, patched)
        first = back_up(place.vault, 1, folder)
        folder = changed(folder, rng)
        second = back_up(place.vault, 1, folder, base=first.id)
    assert read_back(place.vault, second.id) == folder


def test_a_commit_reads_what_is_not_noted(place, monkeypatch):
    rng = random.Random(2)
    folder = {b"a": some_folder(rng), b"b": some_folder(rng)}
    first = back_up(place.vault, 1, folder)
    again = place.reopen()
    again.storage.discard("notes/1")
    folder = {**folder, b"b": changed(folder[b"b"], rng)}
    with monkeypatch.context() as patched:
        forbid_reading(again, patched)
        with pytest.raises(Damaged):
            back_up(again.vault, 1, folder, base=first.id)
    second = back_up(again.vault, 1, folder, base=first.id)
    assert read_back(again.vault, second.id) == folder


def test_the_bitmap_is_what_reading_everything_finds(place):
    rng = random.Random(3)
    folder = {b"a": some_folder(rng), b"b": some_folder(rng)}
    base = ""
    for _ in range(6):
        row = back_up(place.vault, 1, folder, base=base)
        read = place.reopen().vault._core.walker.reach([row.root], None)
        assert decode_bitmap(place.ledger.bitmap(row.id)) == read
        base, part = row.id, rng.choice([b"a", b"b"])
        folder = {**folder, part: changed(folder[part], rng)}


def test_memory_is_bounded_and_what_is_put_last_stays():
    noted = NotedReferences(limit_bytes=40_000)
    key = bytes(32)
    nodes = [encode_inner([(b"n", number.to_bytes(32, "big"))]) for number in range(1000)]
    ids = [chunk_id(key, node) for node in nodes]
    for number in range(0, 1000, 10):
        block = make_block(BlockKind.TREE, list(zip(ids, nodes, strict=True))[number : number + 10])
        noted.note_put(block, b"".join(nodes[number : number + 10]))
    kept = [noted.find(chunk) is not None for chunk in ids]
    assert 50 < sum(kept) < 125
    assert kept == sorted(kept)
    noted.note_read(ids[0], References(bytes(1000), b""))
    assert noted.find(ids[0]) is None
    assert noted.find(ids[-1]) == ((999).to_bytes(32, "big"), b"")


def test_what_is_no_node_is_not_noted():
    noted = NotedReferences()
    data = b"no node at all"
    for kind in BlockKind:
        noted.note_put(make_block(kind, [(chunk_id(bytes(32), data), data)]), data)
    assert noted.find(chunk_id(bytes(32), data)) is None


def test_what_is_read_gives_way_to_what_is_read_later_and_its_memory_is_given_back():
    noted = NotedReferences(limit_bytes=2_000)
    noted.note_read(b"node", References(b"", bytes(1_500)))
    noted.note_read(b"other", References(b"", bytes(1_500)))
    assert noted.find(b"other") is None
    noted.note_read(b"node", References(b"", array("Q", range(40))))
    assert noted.find(b"node") == (b"", array("Q", range(40)))
    noted.note_read(b"other", References(b"", bytes(1_000)))
    assert noted.find(b"other") == (b"", bytes(1_000))


def test_of_a_tree_each_node_is_told_once_and_those_near_the_root_first():
    root, left, right, shared, lost, unplaced = (bytes([number]) * 32 for number in range(6))
    noted = NotedReferences()
    noted.note_read(root, References(left + right + left, b""))
    noted.note_read(left, References(shared + root, array("Q", [7])))
    noted.note_read(right, References(shared + lost + unplaced, b""))
    noted.note_read(shared, References(b"", array("Q", [1, 2])))
    noted.note_read(unplaced, References(b"", bytes(32)))
    none = array("Q")
    assert list(noted.placed_below(root)) == [
        (root, left + right + left, none),
        (left, shared + root, array("Q", [7])),
        (right, shared + lost + unplaced, none),
        (shared, b"", array("Q", [1, 2])),
    ]
