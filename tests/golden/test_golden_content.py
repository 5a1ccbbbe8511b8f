"""The bytes of the content formats as they were released: they must be made and read like this for ever.

A file beside this module is never changed and never removed; a new version of a format gets new files.
Compressed bytes may differ between releases of zstd, so those are only read.
"""

import pathlib

import pytest

from strongroom.engine.content.blocks import make_block
from strongroom.engine.format.block import Block, BlockKind, Method, decode_block, encode_block, verify_block
from strongroom.engine.format.ids import chunk_id
from strongroom.engine.format.keys import derive_content_keys, derive_data_key, pack_key, snapshot_key
from strongroom.engine.format.snapshot import SnapshotRecord, open_snapshot, seal_snapshot
from strongroom.engine.format.tree import (
    decode_node,
    encode_inner,
    encode_leaf,
    encode_list,
    inner_children,
    leaf_entries,
    list_items,
)
from strongroom.model.cutting import FIRST_CUTTING
from strongroom.model.entry import ChunkId, Entry, EntryType, Stat
from strongroom.model.job import Kind
from strongroom.model.policy import Content

FOLDER = pathlib.Path(__file__).parent / "content"
ROOT_KEY = bytes(range(32))
VAULT = bytes(range(100, 116))
SNAPSHOT = bytes(range(200, 216))
KEYS = derive_content_keys(ROOT_KEY, VAULT, FIRST_CUTTING)
DATA_KEY = derive_data_key(ROOT_KEY, VAULT, 1)
CHUNKS = [(chunk_id(KEYS.key_ids, data), data) for data in (b"a", b"Strongroom keeps it. " * 40, bytes(range(256)))]
IDS = [ChunkId(bytes([number]) * 32) for number in range(1, 7)]
ENTRIES = [
    Entry(
        Stat(b"acl", EntryType.FILE, 0o2750, 1000, 4294967294, 13, -1, 1700000000123456789, 99, 3, 2049),
        user="anna",
        group="büro",
        xattrs=((b"system.posix_acl_access", b"\2\0\0\0"), (b"user.note", b"")),
        content=(IDS[0], IDS[1]),
    ),
    Entry(Stat(b"empty", EntryType.FILE, 0o600, 0, 0, 0, 0, 0, 100, unsettled=True)),
    Entry(Stat(b"folder", EntryType.FOLDER, 0o1777, 0, 0, 0, 5, 6, 101), subtree=IDS[2]),
    Entry(Stat(b"huge", EntryType.FILE, 0o400, 1, 2, 2**62, 7, 8, 102), content=(IDS[3],), depth=2),
    Entry(Stat(b"link", EntryType.SYMLINK, 0o777, 0, 0, 0, 9, 10, 103), target=b"../\xff"),
    Entry(Stat(b"null", EntryType.CHAR_DEVICE, 0o666, 0, 0, 0, 11, 12, 104, rdev=259)),
    Entry(
        Stat(b"sparse", EntryType.FILE, 0o644, 0, 0, 10_000_000, 13, 14, 105),
        extents=((4096, 4096), (9_000_000, 1_000_000)),
        content=(IDS[4],),
    ),
    Entry(Stat(b"\xff\xfe", EntryType.FIFO, 0o644, 0, 0, 0, 15, 16, 106)),
]
FLAGGED = [
    Entry(Stat(b"fixed", EntryType.FILE, 0o644, 0, 0, 1, 1, 2, 110), content=(IDS[0],), flags=0x10),
    Entry(Stat(b"folder", EntryType.FOLDER, 0o755, 0, 0, 0, 3, 4, 111), subtree=IDS[2], flags=0x80_0040),
    Entry(Stat(b"plain", EntryType.FILE, 0o644, 0, 0, 1, 5, 6, 112), content=(IDS[1],)),
]
CHILDREN = [(b"acl", IDS[0]), (b"link", IDS[1]), (b"\xff\xfe", IDS[2])]
ITEMS = [(IDS[0], 262_145), (IDS[1], 4_194_304), (IDS[2], 1)]
RECORD = SnapshotRecord(
    id=SNAPSHOT.hex(),
    set_id=7,
    host="fs1",
    job_id=42,
    time_ns=1_700_000_000_123_456_789,
    kind=Kind.INCREMENTAL,
    base="00" * 16,
    root=IDS[5],
    files=123_456,
    size_bytes=2**41,
    content=Content(include=("/srv", "/home"), exclude=("*.tmp",), one_file_system=True),
)


def stored_block():
    ids, datas = zip(*CHUNKS, strict=True)
    return Block(BlockKind.DATA, Method.STORED, ids, tuple(map(len, datas)), b"".join(datas))


MADE = {
    "keys-v1.bin": lambda: (
        KEYS.key_ids + KEYS.key_cut + KEYS.gear + DATA_KEY + pack_key(DATA_KEY, VAULT) + snapshot_key(DATA_KEY, VAULT)
    ),
    "block-stored-v1.bin": lambda: encode_block(stored_block()),
    "leaf-v1.bin": lambda: encode_leaf(ENTRIES),
    "leaf-flags-v1.bin": lambda: encode_leaf(FLAGGED),
    "inner-v1.bin": lambda: encode_inner(CHILDREN),
    "list-0-v1.bin": lambda: encode_list([chunk for chunk, _ in ITEMS], [size for _, size in ITEMS], 0),
    "list-1-v1.bin": lambda: encode_list([chunk for chunk, _ in ITEMS], [size for _, size in ITEMS], 1),
    "snapshot-v1.bin": lambda: seal_snapshot(RECORD, vault_id=VAULT, epoch=1, data_key=DATA_KEY),
}


def golden(name):
    return (FOLDER / name).read_bytes()


@pytest.mark.parametrize("name", MADE)
def test_the_same_bytes_are_made(name):
    assert MADE[name]() == golden(name)


def test_every_file_is_read():
    assert {path.name for path in FOLDER.iterdir()} == {*MADE, "block-zstd-v1.bin"}


@pytest.mark.parametrize("name", ["block-stored-v1.bin", "block-zstd-v1.bin"])
def test_blocks_are_read(name):
    block = decode_block(golden(name))
    assert bytes(verify_block(block, KEYS.key_ids)) == b"".join(data for _, data in CHUNKS)
    assert block.method == (Method.ZSTD if "zstd" in name else Method.STORED)
    assert block.ids == make_block(BlockKind.DATA, CHUNKS).ids


def test_nodes_are_read():
    assert leaf_entries(decode_node(golden("leaf-v1.bin"))) == ENTRIES
    assert leaf_entries(decode_node(golden("leaf-flags-v1.bin"))) == FLAGGED
    assert inner_children(decode_node(golden("inner-v1.bin"))) == CHILDREN
    assert list_items(decode_node(golden("list-0-v1.bin")), 0) == ITEMS
    assert list_items(decode_node(golden("list-1-v1.bin")), 1) == ITEMS


def test_the_snapshot_record_is_read():
    keys = {1: DATA_KEY}
    found = open_snapshot(
        golden("snapshot-v1.bin"), snapshot=SNAPSHOT.hex(), vault_id=VAULT, data_key=lambda epoch: keys[epoch]
    )
    assert found == RECORD
