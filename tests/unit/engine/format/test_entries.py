"""The rules of stored entries, one by one."""

import msgspec
import pytest

from strongroom.engine.format.entries import decode_entries, encode_entries
from strongroom.engine.format.tree import MAX_NODE_BYTES, decode_node, encode_inner, encode_leaf
from strongroom.errors import Damaged, Mistake
from strongroom.model.entry import ChunkId, Entry, EntryType, Stat

ID = ChunkId(b"i" * 32)
STAT = Stat(b"name", EntryType.FILE, 0o644, 0, 0, 100, 0, 0, 1)


def entry(kind=EntryType.FILE, *, content=(), depth=0, subtree=b"", extents=None, **stat):
    changed = msgspec.structs.replace(STAT, type=kind, **stat)
    return Entry(changed, content=tuple(content), depth=depth, subtree=ChunkId(subtree), extents=extents)


BROKEN = {
    "mode too large": entry(mode=0o10000),
    "mode negative": entry(mode=-1),
    "owner too large": entry(uid=2**32),
    "group negative": entry(gid=-1),
    "size negative": entry(size=-1),
    "inode negative": entry(inode=-1),
    "links negative": entry(nlink=-1),
    "device negative": entry(rdev=-1),
    "folder without node": entry(EntryType.FOLDER),
    "folder with content": entry(EntryType.FOLDER, subtree=ID, content=[ID]),
    "file with node": entry(subtree=ID),
    "link with content": entry(EntryType.SYMLINK, content=[ID]),
    "too many ids": entry(content=[ID] * 257),
    "lists too deep": entry(content=[ID], depth=9),
    "depth negative": entry(content=[ID], depth=-1),
    "sparse link": entry(EntryType.SYMLINK, extents=()),
    "ranges overlap": entry(extents=((0, 10), (9, 1))),
    "ranges out of order": entry(extents=((50, 10), (0, 10))),
    "range empty": entry(extents=((50, 0),)),
    "range negative": entry(extents=((-1, 5),)),
    "range behind the end": entry(extents=((90, 11),)),
    "id of another length": entry(content=[ChunkId(b"short")]),
    "time beyond all bounds": entry(mtime_ns=2**64),
    "owner name that is no text": Entry(STAT, user="\udc80"),
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_an_entry_that_breaks_a_rule_is_not_stored(broken):
    with pytest.raises(Mistake):
        encode_leaf([broken])


@pytest.mark.parametrize(
    "change",
    [
        {"mode": 0o10000},
        {"uid": -1},
        {"size": -1},
        {"type": 8},
        {"type": 0},
        {"name": b".."},
        {"name": "text"},
        {"mtime_ns": 1.5},
        {"unsettled": 1},
    ],
)
def test_a_stat_that_breaks_a_rule_is_not_read(change):
    stat = {**msgspec.structs.asdict(STAT), **change}
    with pytest.raises(ValueError):
        read([list(stat.values()), "", "", b"", [], None, 0, 0])


@pytest.mark.parametrize(
    "rest",
    [
        ["", "", b"", [], None, 1, 0],
        ["", "", b"", [], None, -1, 0],
        ["", "", b"", [], None, 2**63, 0],
        ["", "", b"", [], None, 0, 1],
        ["", "", b"", [], [[0, 101]], 0, 0],
        ["", "", b"", [[b"one"]], None, 0, 0],
        ["", "", b"", [], None, 0],
        [b"", "", b"", [], None, 0, 0],
    ],
)
def test_an_entry_that_breaks_a_rule_is_not_read(rest):
    with pytest.raises(ValueError):
        read([STAT, *rest])


def test_what_a_later_release_adds_at_the_end_is_passed_over():
    assert read([STAT, "", "", b"", [], None, 0, 0, 0x10, "more", [1, 2]]) == [Entry(STAT, flags=0x10)]


def test_inode_flags_are_stored_only_where_there_are_some_and_have_32_bits():
    assert read([STAT, "", "", b"", [], None, 0, 0]) == [Entry(STAT)]
    assert b"\x98" in encode_entries([Entry(STAT)])[0]
    for flags in (-1, 2**32):
        with pytest.raises(ValueError):
            read([STAT, "", "", b"", [], None, 0, 0, flags])
        with pytest.raises(ValueError):
            encode_entries([Entry(STAT, flags=flags)])


def read(*stored):
    return decode_entries(msgspec.msgpack.encode(stored), [], [])


def test_ids_that_no_entry_takes_are_refused():
    body, _, _ = encode_entries([entry(content=[ID])])
    assert decode_entries(body, [], [ID]) == [entry(content=[ID])]
    for tree_ids, data_ids in (([], []), ([ID], []), ([], [ID, ID]), ([ID], [ID])):
        with pytest.raises(ValueError):
            decode_entries(body, tree_ids, data_ids)


def test_a_leaf_has_1024_entries_at_most():
    part = [entry(name=b"%04d" % number) for number in range(1025)]
    encode_leaf(part[:1024])
    with pytest.raises(Mistake):
        encode_leaf(part)


def test_a_body_nested_beyond_measure_is_damaged():
    body = msgspec.msgpack.encode([[STAT, "", "", b"", [], None, 0, 0]])
    nested = b"\x91\x99" + body[2:] + b"\x91" * 200_000
    with pytest.raises((ValueError, RecursionError)):
        decode_entries(nested, [], [])


def test_a_node_longer_than_a_chunk_may_be_is_damaged():
    with pytest.raises(Damaged):
        decode_node(encode_inner([(b"n", ID)]) + bytes(MAX_NODE_BYTES))
