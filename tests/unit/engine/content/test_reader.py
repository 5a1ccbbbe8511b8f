"""The reader on trees that are odd, huge, deep, or hostile."""

import pytest

from strongroom.engine.content.reader import SnapshotReader
from strongroom.engine.content.writer import SnapshotWriter
from strongroom.engine.format.ids import chunk_id
from strongroom.engine.format.tree import encode_inner, encode_leaf, encode_list
from strongroom.errors import Damaged, NotFound
from strongroom.model.entry import ChunkId, Entry, EntryType, Stat
from strongroom.testing.memory_sink import MemorySink
from tests.property.strategies import KEYS, plain_folder, split_parts


def file(name, content=(), depth=0):
    return Entry(Stat(name, EntryType.FILE, 0o600, 0, 0, 9, 0, 0, 1), content=tuple(content), depth=depth)


class Shelf(MemorySink):
    """A chunk source that takes any bytes at all."""

    def __init__(self):
        super().__init__(KEYS.key_ids)

    def add(self, data):
        chunk = chunk_id(KEYS.key_ids, data)
        self.chunks[chunk] = data
        return chunk


def test_a_huge_folder_is_found_entry_by_entry():
    part = [file(b"%07d" % number) for number in range(60_000)]
    sink = MemorySink(KEYS.key_ids)
    with SnapshotWriter(KEYS, sink) as writer:
        root = writer.add_folder(split_parts(part))
        writer.finish()
    reader = SnapshotReader(sink, root)
    assert list(reader.folder()) == part
    for number in (0, 1, 255, 30_000, 59_999):
        assert reader.entry(part[number].name) == part[number]
    for name in (b"", b"-", b"0000000x", b"0030000x", b"9", b"x"):
        with pytest.raises(NotFound):
            reader.entry(name)


def test_a_path_is_followed_only_through_folders():
    shelf = Shelf()
    below = shelf.add(encode_leaf([file(b"file")]))
    reader = SnapshotReader(shelf, shelf.add(encode_leaf([plain_folder(b"folder", below), file(b"other")])))
    assert reader.entry(b"folder/file").name == b"file"
    for path in (b"other/file", b"none/file", b"folder/", b"folder//file", b"/folder", b"folder/..", b"folder/file/x"):
        with pytest.raises(NotFound):
            reader.entry(path)
    for path in (b"other", b"none", b"folder/file", b"/"):
        with pytest.raises(NotFound):
            list(reader.folder(path))
        with pytest.raises(NotFound):
            list(reader.walk(path))


def test_folders_deeper_than_any_stack_are_walked():
    shelf = Shelf()
    root = shelf.add(encode_leaf([]))
    for _ in range(5000):
        root = shelf.add(encode_leaf([plain_folder(b"d", root)]))
    order = [path for path, _ in SnapshotReader(shelf, root).walk()]
    assert order == [b"/".join([b"d"] * depth) for depth in range(5000, -1, -1)]


def test_folders_deeper_than_any_may_be_are_damaged():
    shelf = Shelf()
    root = shelf.add(encode_leaf([]))
    for _ in range(20):
        root = shelf.add(encode_leaf([plain_folder(b"d" * 1000, root)]))
    with pytest.raises(Damaged):
        list(SnapshotReader(shelf, root).walk())


def test_a_walk_can_begin_below():
    shelf = Shelf()
    inner = shelf.add(encode_leaf([plain_folder(b"c", shelf.add(encode_leaf([])))]))
    root = shelf.add(encode_leaf([plain_folder(b"a", shelf.add(encode_leaf([plain_folder(b"b", inner)])))]))
    assert [path for path, _ in SnapshotReader(shelf, root).walk(b"a/b")] == [b"a/b/c", b"a/b"]


def test_a_missing_chunk_is_damaged():
    shelf = Shelf()
    lost = ChunkId(b"x" * 32)
    entry = file(b"f", [lost])
    reader = SnapshotReader(shelf, shelf.add(encode_leaf([entry, plain_folder(b"lost", lost)])))
    with pytest.raises(Damaged):
        list(reader.content(entry))
    with pytest.raises(Damaged):
        list(reader.folder(b"lost"))


def test_a_source_that_gives_too_few_chunks_is_damaged():
    class Lazy(Shelf):
        def read(self, ids):
            return list(super().read(ids))[:-1]

    shelf = Lazy()
    with pytest.raises(Damaged):
        list(SnapshotReader(shelf, shelf.add(encode_leaf([]))).folder())


def hostile_roots(shelf):
    """Roots that are one way or another not the folder they should be."""
    leaf = shelf.add(encode_leaf([file(b"m")]))
    earlier = shelf.add(encode_leaf([file(b"a")]))
    chain = leaf
    for _ in range(12):
        chain = shelf.add(encode_inner([(b"m", chain)]))
    yield shelf.add(b"no node at all")
    yield shelf.add(encode_list([leaf], [1], 0))
    yield shelf.add(encode_list([leaf], [1], 1))
    yield chain
    yield shelf.add(encode_inner([(b"a", leaf), (b"m", leaf)]))
    yield shelf.add(encode_inner([(b"a", leaf), (b"n", earlier)]))
    yield shelf.add(encode_inner([(b"n", leaf), (b"a", earlier)]))
    yield shelf.add(encode_inner([]))


@pytest.mark.parametrize("number", range(8))
def test_a_hostile_folder_is_damaged(number):
    shelf = Shelf()
    root = list(hostile_roots(shelf))[number]
    with pytest.raises(Damaged):
        list(SnapshotReader(shelf, root).folder())


@pytest.mark.parametrize("number", range(8))
def test_a_hostile_folder_is_damaged_or_not_found_by_a_path(number):
    shelf = Shelf()
    root = list(hostile_roots(shelf))[number]
    with pytest.raises((Damaged, NotFound)):
        SnapshotReader(shelf, root).entry(b"m/x")


@pytest.mark.parametrize("levels", [2, 8])
def test_a_few_nodes_cannot_pose_as_a_folder_without_end(levels):
    shelf = Shelf()
    root = shelf.add(encode_leaf([]))
    for _ in range(levels):
        root = shelf.add(encode_inner([(b"%04d" % number, root) for number in range(1024)]))
    for asked in (SnapshotReader(shelf, root).folder(), SnapshotReader(shelf, root).walk()):
        with pytest.raises(Damaged):
            list(asked)


def test_content_lists_of_the_wrong_kind_are_damaged():
    shelf = Shelf()
    data = shelf.add(b"data")
    low = shelf.add(encode_list([data], [4], 0))
    high = shelf.add(encode_list([low], [4], 1))
    reader = SnapshotReader(shelf, shelf.add(encode_leaf([])))
    assert list(reader.content_ids(file(b"f", [high], 2))) == [data]
    assert list(reader.content(file(b"f", [low, low], 1))) == [b"data", b"data"]
    for content, depth in (([data], 1), ([high], 1), ([low], 2), ([high], 3), ([shelf.add(encode_leaf([]))], 1)):
        with pytest.raises(Damaged):
            list(reader.content(file(b"f", content, depth)))
