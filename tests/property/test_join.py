"""Joining a folder part as it was with the part as it is: the C does as the definition does, whatever the bytes."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from strongroom.engine.format.entries import decode_entries, encode_entries
from strongroom.engine.format.splice import EncodedRun
from strongroom.engine.format.tree import decode_node, encode_leaf, leaf_entries, splice_leaf
from strongroom.kernel import join as chosen
from strongroom.kernel import join_reference
from strongroom.kernel.join import join
from strongroom.model.entry import EntryType
from tests.property.strategies import entries, leaves, names, stats

encode = msgspec.msgpack.encode
fates = st.sampled_from(["same", "same", "same", "other", "young", "gone"])


@st.composite
def parts(draw):
    """Return the entries of a part as they were, and its stats as they are."""
    was = draw(leaves(12))
    now = {}
    for entry in was:
        fate = draw(fates)
        if fate == "same":
            now[entry.name] = entry.stat
        elif fate == "other":
            now[entry.name] = draw(stats(entry.name, draw(st.sampled_from(EntryType))))
        elif fate == "young":
            now[entry.name] = msgspec.structs.replace(entry.stat, unsettled=True)
    for name in draw(st.sets(names, max_size=3)):
        now.setdefault(name, draw(stats(name, draw(st.sampled_from(EntryType)))))
    return was, [now[name] for name in sorted(now)]


def both(body, listed):
    first, second = join(body, listed), join_reference.join(body, listed)
    assert first == second
    return first


@given(parts())
def test_rows_tell_what_became_of_every_entry(part):
    was, now = part
    body, tree, data = encode_entries(was)
    listed = encode(now)
    rows, tree_ids, data_ids = both(body, listed)
    assert (tree_ids, data_ids) == (len(tree), len(data))
    old, new = {entry.name: entry for entry in was}, {stat.name: stat for stat in now}
    seen = []
    for row in rows:
        head = bytes([0x90 | row.same]) if row.same else b"\x91" if row.old_end else b"\x90"
        found = decode_entries(
            head + body[row.old : row.old_end], tree[row.tree : row.tree_end], data[row.data : row.data_end]
        )
        if row.same:
            assert found == [old[entry.name] for entry in found]
            assert all(new[entry.name] == entry.stat and not entry.stat.unsettled for entry in found)
            seen += [entry.name for entry in found]
            continue
        stat = msgspec.msgpack.decode(listed[row.new : row.new_end], type=type(now[0])) if row.new_end else None
        (entry,) = found or (None,)
        name = stat.name if stat is not None else entry.name
        seen.append(name)
        assert (old.get(name), new.get(name)) == (entry, stat)
        assert entry is None or stat is None or entry.stat != stat or stat.unsettled
    assert seen == sorted({*old, *new})


@given(parts(), st.data())
def test_both_agree_on_bytes_that_are_cut_or_altered(part, data):
    was, now = part
    sides = [bytearray(encode_entries(was)[0]), bytearray(encode(now))]
    for side in sides:
        for _ in range(data.draw(st.integers(0, 2))):
            at = data.draw(st.integers(0, len(side)))
            how = data.draw(st.sampled_from(["cut", "put", "add"]))
            if how == "cut":
                del side[at : at + data.draw(st.integers(1, 4))]
            elif how == "put":
                side[at : at + 1] = data.draw(st.binary(min_size=1, max_size=1))
            else:
                side[at:at] = data.draw(st.binary(max_size=5))
    both(bytes(sides[0]), bytes(sides[1]))


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_both_agree_on_any_bytes(body, listed):
    both(body, listed)


def test_what_another_encoder_wrote_is_left_to_the_slow_way():
    body = encode_entries([])[0]
    assert both(body, encode([])) == ([], 0, 0)
    for other in (b"", b"\xdd\0\0\0\0", b"\x90\x90", b"\x80", b"\xdc\xff\xff"):
        assert both(other, encode([])) is None
        assert both(body, other) is None
    assert chosen is join


@given(leaves(12), st.data())
def test_a_spliced_leaf_is_the_leaf_of_the_same_entries(old, data):
    """Whatever runs are taken over and whatever is encoded anew between them."""
    body, tree, content = encode_entries(old)
    listed = [msgspec.structs.replace(entry.stat, unsettled=False) for entry in old]
    was = [msgspec.structs.replace(entry, stat=stat) for entry, stat in zip(old, listed, strict=True)]
    body, tree, content = encode_entries(was)
    changed = [stat if data.draw(st.booleans()) else msgspec.structs.replace(stat, unsettled=True) for stat in listed]
    rows, _, _ = both(body, encode(changed))
    pieces, expected, at = [], [], 0
    for row in rows:
        if row.same:
            run = EncodedRun(
                row.same,
                body[row.old : row.old_end],
                b"".join(tree[row.tree : row.tree_end]),
                b"".join(content[row.data : row.data_end]),
            )
            pieces.append(run)
            expected += was[at : at + row.same]
        else:
            pieces.append(data.draw(entries(was[at].name)))
            expected.append(pieces[-1])
        at += row.same or 1
    node = splice_leaf(pieces)
    assert node == encode_leaf(expected)
    assert leaf_entries(decode_node(node)) == expected
