"""Blocks: what goes in comes out, and nothing that arrives from outside can do worse than be refused."""

import contextlib
import itertools
import struct

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from strongroom.engine.content.blocks import ALONE, DATA_BYTES, TREE_BYTES, Chunks, fill_blocks, make_block
from strongroom.engine.format.block import (
    MAX_PLAIN_BYTES,
    BlockKind,
    Method,
    decode_block,
    encode_block,
    expand,
    open_block,
    verify_block,
)
from strongroom.engine.format.ids import chunk_id
from strongroom.errors import Damaged
from tests.property.strategies import KEYS, ids, noise, runs

chunk_lists = st.lists(st.one_of(st.binary(min_size=1, max_size=400), noise, runs).filter(bool), min_size=1, max_size=6)
kinds = st.sampled_from(BlockKind)


def chunks_of(datas):
    return [(chunk_id(KEYS.key_ids, data), data) for data in datas]


def laid_out(draw_splits, datas):
    """Chunks in pieces: some alone, some several in one piece."""
    chunks = Chunks()
    waiting = []
    for (one, data), ends_piece in zip(chunks_of(datas), draw_splits, strict=False):
        waiting.append((one, data))
        if ends_piece:
            chunks.extend(*lists_of(waiting))
            waiting = []
    for one, data in waiting:
        chunks.add(one, data)
    return chunks


def lists_of(pairs):
    return [one for one, _ in pairs], [len(data) for _, data in pairs], b"".join(data for _, data in pairs)


sizes_of_blocks = st.sampled_from((DATA_BYTES, TREE_BYTES, 1000, ALONE))
splits = st.lists(st.booleans(), min_size=6, max_size=6)


@given(kinds, chunk_lists, splits, sizes_of_blocks)
def test_chunks_come_back_in_their_order(kind, datas, pieces, full_bytes):
    filled = fill_blocks(kind, laid_out(pieces, datas), full_bytes)
    blocks = [decode_block(encode_block(block)) for block in filled]
    assert b"".join(bytes(verify_block(block, KEYS.key_ids)) for block in blocks) == b"".join(datas)
    assert [(one, size) for block in blocks for one, size in zip(block.ids, block.sizes, strict=True)] == [
        (one, len(data)) for one, data in chunks_of(datas)
    ]
    assert {block.kind for block in blocks} == {kind}


@given(chunk_lists, splits, sizes_of_blocks)
def test_blocks_are_full_but_not_too_full(datas, pieces, full_bytes):
    blocks = list(fill_blocks(BlockKind.DATA, laid_out(pieces, datas), full_bytes))
    for block in blocks:
        assert block.plain_size <= full_bytes or len(block.ids) == 1
    for block, following in itertools.pairwise(blocks):
        assert block.plain_size + following.sizes[0] > full_bytes


@given(chunk_lists, splits, st.lists(st.booleans(), min_size=6, max_size=6))
def test_of_chunks_only_the_wanted_are_kept(datas, pieces, wanted):
    wanted = wanted[: len(datas)]
    kept = laid_out(pieces, datas).only(wanted)
    expected = [pair for pair, is_wanted in zip(chunks_of(datas), wanted, strict=True) if is_wanted]
    assert list(zip(kept.ids, map(bytes, kept.each()), strict=True)) == expected
    assert kept.size == sum(kept.sizes) == sum(len(data) for _, data in expected)


@given(chunk_lists, splits)
def test_a_block_is_never_larger_than_its_chunks(datas, pieces):
    for block in fill_blocks(BlockKind.DATA, laid_out(pieces, datas), DATA_BYTES):
        assert len(block.payload) <= block.plain_size
        assert (block.method == Method.STORED) == (len(block.payload) == block.plain_size)


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_damaged(data):
    with pytest.raises(Damaged):
        decode_block(data)


@given(kinds, chunk_lists, st.data())
def test_one_changed_byte_is_damaged_or_changes_no_content(kind, datas, data):
    """Only the kind can be changed unseen; that is what the seal is bound to, and the vault's to check."""
    whole = bytearray(encode_block(make_block(kind, chunks_of(datas)[:1])))
    whole[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        plain = verify_block(decode_block(whole), KEYS.key_ids)
    except Damaged:
        return
    assert bytes(plain) == datas[0]


@given(kinds, chunk_lists, st.data())
def test_a_block_cut_short_or_grown_is_damaged(kind, datas, data):
    whole = encode_block(make_block(kind, chunks_of(datas)[:1]))
    with pytest.raises(Damaged):
        decode_block(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(Damaged):
        decode_block(whole + data.draw(st.binary(min_size=1, max_size=3)))


@given(
    st.binary(max_size=8) | st.just(b"SRBLOCK\n"),
    st.integers(0, 3),
    st.integers(0, 4),
    st.integers(0, 3),
    st.integers(0, 5) | st.sampled_from([65_536, 65_537, 2**32 - 1]),
    st.lists(st.integers(0, 2**32 - 1), max_size=5),
    st.binary(max_size=64),
)
def test_a_hostile_header_does_no_harm(mark, version, kind, method, count, sizes, payload):
    header = struct.pack("<8sBBBxII", mark, version, kind, method, count, len(payload))
    data = header + bytes(32 * len(sizes)) + struct.pack(f"<{len(sizes)}I", *sizes) + payload
    try:
        plain = open_block(decode_block(data))
    except Damaged:
        return
    assert len(plain) == sum(sizes)


@given(st.integers(1, MAX_PLAIN_BYTES), st.binary(max_size=300))
def test_arbitrary_payloads_are_damaged_or_exact(plain_size, payload):
    for method in (0, 1, 2):
        with contextlib.suppress(Damaged):
            assert len(expand(method, payload, plain_size)) == plain_size


@given(ids, st.binary(min_size=1, max_size=50))
def test_a_false_id_is_named_as_such(false_id, data):
    block = make_block(BlockKind.DATA, [(false_id, data)])
    with pytest.raises(Damaged) as caught:
        verify_block(block, KEYS.key_ids)
    assert caught.value.code == "false_id"


@given(st.integers(2, 1000), st.booleans())
def test_a_bomb_is_refused_before_it_goes_off(times, tells_its_size):
    bomb = zstandard.ZstdCompressor(write_content_size=tells_its_size).compress(bytes(100_000 * times))
    with pytest.raises(Damaged):
        expand(Method.ZSTD, bomb, 100_000)
