"""Tree nodes: entries come back whole, hostile nodes are refused, and a small change makes few new nodes."""

import contextlib
import random
import struct

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strongroom.engine.content.writer import SnapshotWriter
from strongroom.engine.format.ids import pack_ids
from strongroom.engine.format.splice import EncodedRun, encode_file, encode_owner
from strongroom.engine.format.tree import (
    decode_node,
    encode_inner,
    encode_leaf,
    encode_list,
    inner_children,
    leaf_entries,
    leaf_totals,
    list_items,
    node_refs,
    splice_leaf,
)
from strongroom.errors import Damaged, Mistake
from strongroom.model.entry import Entry, EntryType
from strongroom.testing.memory_sink import MemorySink
from tests.property.strategies import KEYS, entries, ids, leaves, names, plain_folder, split_parts

plain_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.binary(max_size=8) | st.text(max_size=4),
    lambda below: st.lists(below, max_size=13),
    max_leaves=30,
)


@given(leaves())
def test_entries_come_back_as_they_were(part):
    assert leaf_entries(decode_node(encode_leaf(part))) == part


@given(leaves())
def test_totals_are_those_of_the_entries(part):
    sizes = [entry.stat.size for entry in part if entry.stat.type != EntryType.FOLDER]
    assert leaf_totals(decode_node(encode_leaf(part))) == (len(sizes), sum(sizes))


@given(leaves())
def test_references_are_readable_without_the_body(part):
    data = encode_leaf(part)
    garbled = data[:-1] + bytes([data[-1] ^ 0xFF])
    tree, plain = [], []
    for entry in part:
        (tree if entry.depth else plain).extend(entry.content)
        tree += [entry.subtree] if entry.subtree else []
    assert node_refs(garbled) == node_refs(data) == (pack_ids(tree), pack_ids(plain))


@given(st.lists(st.tuples(names, ids), min_size=1, max_size=6, unique_by=lambda child: child[0]).map(sorted))
def test_children_come_back_as_they_were(children):
    assert inner_children(decode_node(encode_inner(children))) == children


@given(st.lists(st.tuples(ids, st.integers(1, 2**50)), min_size=1, max_size=6), st.integers(0, 3))
def test_lists_come_back_as_they_were(items, level):
    node = decode_node(encode_list([chunk for chunk, _ in items], [size for _, size in items], level))
    assert list_items(node, level) == items
    with pytest.raises(Damaged):
        list_items(node, 0 if level else 1)


def read_any(data):
    """Read bytes as every form of node; only `Damaged` may be raised."""
    for read in (leaf_entries, inner_children, lambda node: list_items(node, 0), lambda node: list_items(node, 1)):
        with contextlib.suppress(Damaged):
            read(decode_node(data))


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_damaged(data):
    read_any(data)


@given(st.integers(0, 4), st.integers(0, 5), st.integers(0, 5), plain_values | st.lists(plain_values, max_size=4))
def test_a_body_of_any_shape_does_no_harm(form, trees, datas, body):
    header = struct.pack("<8sBBxxII", b"SRTREE\n\0", 1, form, trees, datas)
    read_any(header + bytes(32 * (trees + datas)) + msgspec.msgpack.encode(body))


@given(leaves(), st.data())
def test_a_changed_byte_is_damaged_or_gives_entries_that_keep_the_rules(part, data):
    whole = bytearray(encode_leaf(part))
    whole[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        found = leaf_entries(decode_node(whole))
    except Damaged:
        return
    assert leaf_entries(decode_node(encode_leaf(found))) == found


@given(st.lists(entries(), min_size=2, max_size=5))
def test_names_out_of_order_or_twice_are_not_stored(part):
    in_order = sorted({entry.name for entry in part})
    if [entry.name for entry in part] == in_order:
        part.reverse()
    with pytest.raises(Mistake):
        encode_leaf(part)


@given(leaves().filter(bool), st.sampled_from([b"", b".", b"..", b"a/b", b"/", b"a\0", b"n" * 1025]), st.data())
def test_an_unsafe_name_is_neither_stored_nor_read(part, name, data):
    """Such a node cannot be made by us, so one is made here by its parts."""
    at = data.draw(st.integers(0, len(part) - 1))
    stat = msgspec.structs.replace(part[at].stat, name=name)
    evil = sorted([*part[:at], msgspec.structs.replace(part[at], stat=stat), *part[at + 1 :]], key=lambda e: e.name)
    with pytest.raises(Mistake):
        encode_leaf(evil)
    with pytest.raises(Damaged):
        leaf_entries(decode_node(hand_made_leaf(evil)))


def hand_made_leaf(part):
    tree, plain, body = [], [], []
    for entry in part:
        (tree if entry.depth else plain).extend(entry.content)
        tree += [entry.subtree] if entry.subtree else []
        refs = len(entry.content) + bool(entry.subtree)
        known = [entry.stat, entry.user, entry.group, entry.target, entry.xattrs, entry.extents, refs, entry.depth]
        body.append([*known, entry.flags] if entry.flags else known)
    header = struct.pack("<8sBBxxII", b"SRTREE\n\0", 1, 1, len(tree), len(plain))
    return header + pack_ids(tree) + pack_ids(plain) + msgspec.msgpack.encode(body)


@given(leaves())
def test_a_leaf_made_by_hand_is_the_same(part):
    """The document is enough to make a node: nothing but what it says goes into one."""
    assert hand_made_leaf(part) == encode_leaf(part)


@given(leaves(), st.integers(0, 2**32 - 1))
def test_a_leaf_of_files_encoded_one_by_one_is_the_same(part, flags):
    """What the reading of small files encodes at once is what every other entry becomes."""
    pieces = []
    for number, entry in enumerate(part):
        if entry.stat.type == EntryType.FILE:
            kept = flags if number % 2 else 0
            part[number] = Entry(entry.stat, entry.user, entry.group, content=entry.content[:1], flags=kept)
            row = encode_file(
                msgspec.msgpack.encode(entry.stat), encode_owner(entry.user, entry.group), kept, len(entry.content[:1])
            )
            pieces.append(EncodedRun(1, row, b"", pack_ids(entry.content[:1])))
        else:
            pieces.append(entry)
    assert splice_leaf(pieces) == encode_leaf(part)


@settings(max_examples=12)
@given(st.integers(0, 2**32), st.sampled_from(["change", "add", "remove"]))
def test_one_change_in_a_large_folder_makes_few_new_nodes(seed, change):
    rng = random.Random(seed)
    subtree = node_id = rng.randbytes(32)
    part = [plain_folder(b"name %08d" % number, subtree) for number in sorted(rng.sample(range(10**8), 20_000))]
    sink = MemorySink(KEYS.key_ids)
    with SnapshotWriter(KEYS, sink) as writer:
        writer.add_folder(split_parts(part))
        writer.finish()
        before = set(sink.chunks)
        at = rng.randrange(len(part))
        if change == "change":
            part[at] = plain_folder(part[at].name, bytes(reversed(node_id)))
        elif change == "add":
            part.insert(at + 1, plain_folder(part[at].name + b" new", subtree))
        else:
            del part[at]
        root = writer.add_folder(split_parts(part))
        writer.finish()
    assert root not in before
    assert len(before) > 40
    assert len(set(sink.chunks) - before) <= 5  # a leaf and the node above it may each be cut in two; and the root
    assert {entry.stat.type for entry in part} == {EntryType.FOLDER}
