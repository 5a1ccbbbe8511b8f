"""The vault's own formats on arbitrary bytes and sizes: what was made is read, anything else is Damaged and no more."""

import contextlib
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.engine.format.block import BlockKind, Method
from strongroom.engine.format.columns import decode_u32
from strongroom.engine.format.index import decode_run, merge_runs, run_of_pack
from strongroom.engine.format.notes import NodeNote, PackNote, decode_notes, encode_notes
from strongroom.engine.format.pack import (
    FOOTER_BYTES,
    HEADER_BYTES,
    SEAL_BYTES,
    PackHeader,
    PackSeal,
    PackTable,
    decode_footer,
    decode_header,
    encode_header,
)
from strongroom.engine.format.vaultfile import decode_vault_file
from strongroom.errors import Damaged
from tests.property.strategies import ids

NOTES_KEY = b"n" * 32
pack_notes = st.lists(st.builds(PackNote, name=ids, first=st.integers(0, 2**64 - 1)), max_size=4)
node_notes = st.lists(
    st.builds(
        NodeNote,
        node=ids,
        tree=st.lists(ids, max_size=3).map(b"".join),
        data=st.lists(st.integers(0, 2**64 - 1), max_size=5).map(lambda ordinals: array("Q", ordinals)),
    ),
    max_size=5,
)
SEAL = PackSeal(PackHeader(BlockKind.DATA, 1, b"v" * 16, b"u" * 16), b"k" * 32)
tables = st.lists(st.lists(st.tuples(ids, st.integers(1, 4 << 20)), min_size=1, max_size=5), min_size=1, max_size=6)


def table_of(blocks):
    table = PackTable()
    for number, rows in enumerate(blocks):
        table.add_block(64 + 100 * number, 50, [chunk for chunk, _ in rows], [size % 1_000_000 for _, size in rows])
    return table


def run_of(blocks, first):
    return decode_run(b"".join(map(bytes, run_of_pack(b"n" * 32, first, 1, table_of(blocks)))))


@given(st.binary(max_size=400))
def test_any_bytes_are_damaged_at_worst(stored):
    for decode in (decode_run, decode_vault_file):
        with contextlib.suppress(Damaged):
            decode(stored)
    with contextlib.suppress(Damaged):
        decode_notes(stored, NOTES_KEY)
    with contextlib.suppress(Damaged):
        decode_header(stored[:HEADER_BYTES].ljust(HEADER_BYTES))
    with contextlib.suppress(Damaged):
        decode_footer(stored[:FOOTER_BYTES].ljust(FOOTER_BYTES), len(stored))
    with contextlib.suppress(Damaged):
        SEAL.open_block(0, stored)


@given(st.binary(max_size=5000), st.integers(0, 2**32 - 2), st.sampled_from(Method))
def test_a_block_opens_under_its_own_number_only(payload, number, method):
    _, sealed = SEAL.seal_block(number, method, payload)
    kept = bytes(sealed)
    opened = SEAL.open_block(number, kept)
    assert (opened[0], bytes(opened[1])) == (method, payload)
    room = bytearray(len(kept) - SEAL_BYTES)
    assert SEAL.open_block_into(number, kept, memoryview(room)) == method
    assert room[1:] == payload
    with contextlib.suppress(Damaged):
        SEAL.open_block_into(number + 1, kept, memoryview(room))
        raise AssertionError
    with contextlib.suppress(Damaged):
        SEAL.open_block(number + 1, kept)
        raise AssertionError
    other = PackSeal(PackHeader(BlockKind.TREE, 1, b"v" * 16, b"u" * 16), b"k" * 32)
    with contextlib.suppress(Damaged):
        other.open_block(number, kept)
        raise AssertionError


@given(tables)
def test_a_trailer_gives_back_its_table(blocks):
    table = table_of(blocks)
    stored = b"".join(map(bytes, SEAL.seal_trailer(table, 1000)))
    footer = decode_footer(stored[-FOOTER_BYTES:], 1000 + len(stored))
    found = SEAL.open_trailer(stored[:-FOOTER_BYTES], footer)
    found.ids = bytearray(found.ids)
    assert found == table
    assert decode_header(encode_header(SEAL.header)) == SEAL.header


@given(st.lists(tables, min_size=1, max_size=5), st.integers(0, 2**40))
def test_merging_gives_what_the_packs_say(packs, first):
    runs, start = [], first
    for blocks in packs:
        runs.append(run_of(blocks, start))
        start = runs[-1].end
    merged = decode_run(b"".join(map(bytes, merge_runs(runs))))
    chunks = [(chunk, size % 1_000_000) for blocks in packs for rows in blocks for chunk, size in rows]
    assert (merged.first, merged.count, merged.end) == (first, len(chunks), start)
    found = sorted((chunk, at) for at, (chunk, _) in enumerate(chunks))
    assert bytes(merged.ids) == b"".join(chunk for chunk, _ in found)
    assert list(decode_u32(merged.positions)) == [at for _, at in found]
    assert [merged.place(first + at)[2] for at in range(len(chunks))] == [size for _, size in chunks]


@given(tables, st.data())
def test_a_changed_byte_in_a_run_is_found(blocks, data):
    stored = bytearray(b"".join(map(bytes, run_of_pack(b"n" * 32, 5, 1, table_of(blocks)))))
    stored[data.draw(st.integers(0, len(stored) - 1))] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(Damaged):
        decode_run(stored)
        raise AssertionError


@given(pack_notes, node_notes, st.data())
def test_notes_are_read_as_they_were_made_and_not_when_a_byte_is_another(packs, nodes, data):
    stored = encode_notes(packs, nodes, NOTES_KEY)
    read_packs, read_nodes = decode_notes(stored, NOTES_KEY)
    assert (read_packs, list(read_nodes)) == (packs, nodes)
    at = data.draw(st.integers(0, len(stored) - 1))
    other = bytearray(stored)
    other[at] ^= data.draw(st.integers(1, 255))
    for damaged, key in ((other, NOTES_KEY), (stored[:at], NOTES_KEY), (stored, b"o" * 32)):
        with pytest.raises(Damaged):
            decode_notes(damaged, key)
