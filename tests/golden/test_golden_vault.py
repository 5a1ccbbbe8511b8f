"""The bytes of the vault's own formats as they were released: pack, index run, vault.json.

A file beside this module is never changed and never removed; a new version of a format gets new files.
"""

import pathlib
from array import array

import pytest

from strongroom.engine.format.block import BlockKind, Method
from strongroom.engine.format.columns import decode_u32, u32_column
from strongroom.engine.format.index import decode_run, merge_runs, run_of_pack
from strongroom.engine.format.keys import derive_content_keys, derive_data_key, derive_notes_key, pack_key
from strongroom.engine.format.notes import NodeNote, PackNote, decode_notes
from strongroom.engine.format.pack import (
    FOOTER_BYTES,
    HEADER_BYTES,
    PackHeader,
    PackSeal,
    PackTable,
    decode_footer,
    decode_header,
    encode_header,
)
from strongroom.engine.format.vaultfile import VaultFile, decode_vault_file, encode_vault_file, key_check
from strongroom.model.cutting import FIRST_CUTTING
from strongroom.model.entry import ChunkId

FOLDER = pathlib.Path(__file__).parent / "vault"
ROOT_KEY = bytes(range(32))
VAULT = bytes(range(100, 116))
IDS = [ChunkId(bytes([number]) * 32) for number in (7, 3, 9, 1)]
BLOCKS = [(Method.STORED, b"one two three", IDS[:2], (3, 10)), (Method.ZSTD, b"as if compressed", IDS[2:], (70_000, 1))]
PACK_NOTES = [PackNote(bytes([4]) * 32, 4), PackNote(bytes([8]) * 32, 8)]
NODE_NOTES = [
    NodeNote(IDS[2], IDS[3] + IDS[1], array("Q")),
    NodeNote(IDS[3], b"", array("Q", [4, 2**40])),
    NodeNote(IDS[1], IDS[3], array("Q", [5])),
]
HEADERS = {
    "pack-data-v1.bin": PackHeader(BlockKind.DATA, 1, VAULT, bytes(range(200, 216))),
    "pack-tree-v1.bin": PackHeader(BlockKind.TREE, 2, VAULT, bytes(range(50, 66))),
}
VAULT_FILE = VaultFile(
    id=VAULT.hex(),
    created="2026-01-02T03:04:05+00:00",
    epoch=1,
    cutting=FIRST_CUTTING,
    key_check=key_check(derive_content_keys(ROOT_KEY, VAULT, FIRST_CUTTING).key_ids),
)


def seal_of(header):
    return PackSeal(header, pack_key(derive_data_key(ROOT_KEY, VAULT, header.epoch), header.uuid))


def pack(name):
    seal, table = seal_of(HEADERS[name]), PackTable()
    stored = encode_header(HEADERS[name])
    for number, (method, payload, ids, sizes) in enumerate(BLOCKS):
        head, sealed = seal.seal_block(number, method, payload)
        table.add_block(len(stored) + len(head), len(sealed), ids, sizes)
        stored += head + bytes(sealed)
    return stored + b"".join(map(bytes, seal.seal_trailer(table, len(stored)))), table


def run(first, name):
    header = HEADERS[name]
    return b"".join(map(bytes, run_of_pack(bytes([first]) * 32, first, header.kind, pack(name)[1])))


def merged():
    return b"".join(
        map(bytes, merge_runs([decode_run(run(4, "pack-data-v1.bin")), decode_run(run(8, "pack-tree-v1.bin"))]))
    )


MADE = {
    **{name: lambda name=name: pack(name)[0] for name in HEADERS},
    "index-4-4-v1.bin": lambda: run(4, "pack-data-v1.bin"),
    "index-4-8-v1.bin": merged,
    "vault-v1.json": lambda: encode_vault_file(VAULT_FILE),
}


def golden(name):
    return (FOLDER / name).read_bytes()


@pytest.mark.parametrize("name", MADE)
def test_the_same_bytes_are_made(name):
    assert MADE[name]() == golden(name)


def test_every_file_is_made():
    assert {path.name for path in FOLDER.iterdir()} == {*MADE, "notes-v1.bin"}


def test_notes_are_read():  # their compressed bytes may differ between releases of zstd
    packs, nodes = decode_notes(golden("notes-v1.bin"), derive_notes_key(ROOT_KEY, VAULT))
    assert (packs, list(nodes)) == (PACK_NOTES, NODE_NOTES)


@pytest.mark.parametrize("name", HEADERS)
def test_packs_are_read(name):
    stored = golden(name)
    assert decode_header(stored[:HEADER_BYTES]) == HEADERS[name]
    footer = decode_footer(stored[-FOOTER_BYTES:], len(stored))
    seal = seal_of(HEADERS[name])
    table = seal.open_trailer(stored[footer.trailer_offset : footer.trailer_offset + footer.trailer_bytes], footer)
    assert table.ids == b"".join(IDS)
    assert (list(table.blocks), list(table.offsets), list(table.sizes)) == (
        [0, 0, 1, 1],
        [0, 3, 0, 70_000],
        [3, 10, 70_000, 1],
    )
    assert list(table.plain_sizes) == [13, 70_001]
    for number, (method, payload, _, _) in enumerate(BLOCKS):
        start = table.block_offsets[number]
        found = seal.open_block(number, stored[start : start + table.sealed_sizes[number]])
        assert (found[0], bytes(found[1])) == (method, payload)


def test_index_runs_are_read():
    found = decode_run(golden("index-4-8-v1.bin"))
    assert (found.first, found.count, [pack.first for pack in found.packs]) == (4, 8, [4, 8])
    assert [pack.kind for pack in found.packs] == [1, 2]
    assert bytes(found.ids) == b"".join(chunk * 2 for chunk in sorted(IDS))
    assert decode_u32(found.positions) == u32_column([3, 7, 1, 5, 0, 4, 2, 6])
    assert [found.place(ordinal) for ordinal in (4, 5, 6, 11)] == [
        (0, 0, 3),
        (0, 3, 10),
        (1, 0, 70_000),
        (1, 70_000, 1),
    ]


def test_the_vault_file_is_read():
    assert decode_vault_file(golden("vault-v1.json")) == VAULT_FILE
