"""Writer and reader: whatever tree and content goes in comes out, once, cut the same however it is read."""

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strongroom.engine.content.chunking import BUFFER_BYTES, Cutter, cut_bytes
from strongroom.engine.content.reader import SnapshotReader
from strongroom.engine.content.runs import RunBuilder
from strongroom.engine.content.writer import SnapshotWriter
from strongroom.engine.format.block import BlockKind
from strongroom.engine.format.ids import chunk_id
from strongroom.engine.format.keys import ContentKeys
from strongroom.engine.format.tree import decode_node, leaf_entries
from strongroom.model.cutting import CUTTING, FIRST_CUTTING, LARGEST_BYTES, Cutting
from strongroom.model.entry import ChunkId, EntryType
from strongroom.testing.memory_sink import MemorySink
from tests.property.strategies import KEYS, contents, folders, ids, leaves, plain_file, plain_folder, split_parts

MIB = 1 << 20


class Trickle:
    """A stream that gives what it has in pieces of any size."""

    def __init__(self, content, seed=0):
        self.content = memoryview(content)
        self.rng = random.Random(seed)

    def readinto(self, buffer):
        most = self.rng.choice([1, 1000, MIB, 16 * MIB])
        piece = self.content[: min(most, len(buffer))] if len(self.content) > 1000 else self.content[: len(buffer)]
        buffer[: len(piece)] = piece
        self.content = self.content[len(piece) :]
        return len(piece)


def write_folder(writer, folder, seed=0):
    """Write a folder of `strategies.folders`; small contents now one way, now the other."""
    part = []
    for name in sorted(folder):
        inside = folder[name]
        if isinstance(inside, dict):
            part.append(plain_folder(name, write_folder(writer, inside, seed + 1)))
        elif (seed + len(inside)) % 2:
            part.append(plain_file(name, writer.add_bytes(inside)))
        else:
            part.append(plain_file(name, writer.add_stream(Trickle(inside, seed).readinto)))
    return writer.add_folder(split_parts(part))


def read_folder(reader, path=b""):
    found = {}
    for entry in reader.folder(path):
        below = b"/".join([path, entry.name] if path else [entry.name])
        assert reader.entry(below) == entry
        if entry.stat.type == EntryType.FOLDER:
            found[entry.name] = read_folder(reader, below)
        else:
            found[entry.name] = b"".join(reader.content(entry))
            assert len(found[entry.name]) == entry.stat.size
    return found


def written(folder, sink):
    with SnapshotWriter(KEYS, sink) as writer:
        root = write_folder(writer, folder)
        writer.finish()
        return root, writer.counts


@given(folders, st.booleans())
def test_a_tree_comes_back_as_it_was(folder, knows_nothing):
    sink = MemorySink(KEYS.key_ids, knows_nothing=knows_nothing)
    root, counts = written(folder, sink)
    assert read_folder(SnapshotReader(sink, root)) == folder
    assert counts.bytes_sent == sum(sink.parcels)
    assert counts.bytes_new == sum(map(len, sink.chunks.values())) == counts.bytes_stored
    assert counts.chunks == len(sink.chunks)


@given(folders)
def test_what_the_sink_has_is_not_sent_again(folder):
    sink = MemorySink(KEYS.key_ids)
    root, _ = written(folder, sink)
    sink.parcels.clear()
    again, counts = written(folder, sink)
    assert again == root
    assert sink.parcels == []
    assert counts.bytes_new == counts.bytes_sent == counts.chunks == 0


@given(folders)
def test_data_and_tree_lie_in_blocks_apart(folder):
    sink = MemorySink(KEYS.key_ids)
    root, _ = written(folder, sink)
    nodes = {chunk for chunk, data in sink.chunks.items() if data.startswith(b"SRTREE\n\0")}
    assert root in nodes
    for block in sink.blocks:
        assert (set(block.ids) <= nodes) == (block.kind == BlockKind.TREE)


@given(folders)
def test_a_walk_meets_every_folder_once_after_those_in_it(folder):
    sink = MemorySink(KEYS.key_ids)
    root, _ = written(folder, sink)
    leaf_nodes = list(SnapshotReader(sink, root).walk())
    order = [path for path, _ in itertools.groupby(path for path, _ in leaf_nodes)]
    assert sorted(order) == sorted(all_folders(folder))
    place = {path: at for at, path in enumerate(order)}
    for path in order:
        if path:
            assert place[path] < place[path.rpartition(b"/")[0]]
    for path in order:
        found = [one for place, node in leaf_nodes if place == path for one in leaf_entries(decode_node(node))]
        assert found == list(SnapshotReader(sink, root).folder(path))


def all_folders(folder, path=b""):
    yield path
    for name, inside in folder.items():
        if isinstance(inside, dict):
            yield from all_folders(inside, b"/".join([path, name] if path else [name]))


@given(leaves(max_size=5), st.integers(1, 4))
def test_entries_of_every_kind_survive_the_way_through_a_sink(part, split):
    """References to chunks that were never put are the committer's to refuse; a folder's listing does not need them."""
    sink = MemorySink(KEYS.key_ids)
    with SnapshotWriter(KEYS, sink) as writer:
        root = writer.add_folder([part[:split], part[split:]])
        writer.finish()
    assert list(SnapshotReader(sink, root).folder()) == part


@given(contents, st.integers(0, 2**32), st.sampled_from([FIRST_CUTTING, CUTTING]))
def test_a_stream_and_its_bytes_give_the_same_chunks(content, seed, cutting):
    keys = ContentKeys(KEYS.key_ids, KEYS.key_cut, cutting)
    streamed = [bytes(piece) for piece in Cutter(keys).chunks(Trickle(content, seed).readinto)]
    assert streamed == [bytes(piece) for piece in cut_bytes(content, keys)]
    assert b"".join(streamed) == content
    assert all(cutting.minimum < len(piece) <= cutting.maximum for piece in streamed[:-1])
    assert len(streamed) <= 1 or len(content) > 256 << 10


@settings(max_examples=10)
@given(st.integers(0, 2**32), st.sampled_from(["change", "add", "remove"]))
def test_one_changed_byte_in_a_large_stream_makes_few_new_chunks(seed, change):
    rng = random.Random(seed)
    content = bytearray(rng.randbytes(24 * MIB))
    sink = MemorySink(KEYS.key_ids)
    with SnapshotWriter(KEYS, sink) as writer:
        writer.add_stream(Trickle(content).readinto)
        writer.finish()
        before = dict(sink.chunks)
        at = rng.randrange(len(content))
        if change == "change":
            content[at] ^= 1
        elif change == "add":
            content[at:at] = b"!"
        else:
            del content[at]
        writer.add_stream(Trickle(content, seed).readinto)
        writer.finish()
    new = set(sink.chunks) - set(before)
    assert 1 <= len(new) <= 4
    assert sum(len(sink.chunks[chunk]) for chunk in new) <= 10 * MIB


@given(st.integers(0, 2**32), st.integers(257, 9000), st.sampled_from(["change", "add", "remove"]))
def test_one_changed_id_in_a_long_row_makes_few_new_nodes(seed, count, change):
    rng = random.Random(seed)
    row = [ChunkId(rng.randbytes(32)) for _ in range(count)]
    before, _ = nodes_of(row)
    at = rng.randrange(count)
    if change == "change":
        row[at] = ChunkId(rng.randbytes(32))
    elif change == "add":
        row.insert(at, ChunkId(rng.randbytes(32)))
    else:
        del row[at]
    after, _ = nodes_of(row)
    assert len(set(after) - set(before)) <= 8


@given(st.lists(ids, max_size=40) | st.builds(lambda one, count: [one] * count, ids, st.integers(0, 5000)))
def test_a_row_of_any_ids_is_found_again_below_its_nodes(row):
    nodes, (top, depth) = nodes_of(row)
    assert len(top) <= 256
    for _ in range(depth):
        top = [chunk for one in top for chunk in nodes[one]]
    assert top == row
    assert depth <= 2


def nodes_of(row):
    """Build list nodes over a row; return each node's ids by its own id, and what remains."""
    nodes = {}

    def make(level, below, notes):
        assert 1 <= len(below) <= 1024
        assert notes == [level + 1] * len(below)
        chunk = chunk_id(KEYS.key_ids, b"".join(below))
        nodes[chunk] = below
        return chunk, level + 2

    builder = RunBuilder(256, make)
    for chunk in row:
        builder.add(chunk, 1)
    return nodes, builder.finish()


@pytest.mark.parametrize("size", [0, 1, 256 << 10, (256 << 10) + 1])
def test_bytes_and_stream_agree_at_the_limit_of_small_files(size):
    content = random.Random(size).randbytes(size)
    with SnapshotWriter(KEYS, MemorySink(KEYS.key_ids)) as writer:
        assert writer.add_bytes(content) == writer.add_stream(Trickle(content).readinto)


def test_the_largest_chunk_there_may_be_leaves_nothing_of_a_stream_out():
    """Content without a boundary fills the buffer; were a chunk larger than that, the rest would be lost."""
    keys = ContentKeys(KEYS.key_ids, KEYS.key_cut, Cutting(1 << 20, 2 << 20, LARGEST_BYTES))
    content = bytes(3 * BUFFER_BYTES + 5)
    assert b"".join(map(bytes, Cutter(keys).chunks(Trickle(content).readinto))) == content
    with pytest.raises(ValueError, match="cannot be cut"):
        Cutting(1 << 20, 2 << 20, LARGEST_BYTES + 1)
