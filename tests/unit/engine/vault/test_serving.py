"""Reading under a grant: only what it covers, whole blocks where that is right, and nothing wrong ever."""

import contextlib
import random

import pytest
from blake3 import blake3

from strongroom.engine.format.block import Method, decode_block, verify_block
from strongroom.engine.vault.vault import Vault
from strongroom.errors import Damaged, NotFound, Refused
from strongroom.model.entry import ChunkId
from strongroom.protocol.frames import decode_frames, lay_frames
from strongroom.testing.vault_driver import back_up, ids_of


def noise(seed, size=2000):
    return random.Random(seed).randbytes(size)


FILES = {b"%02d" % number: noise(number) for number in range(20)}
FOLDER = {b"files": FILES, b"secret": {b"key": noise(99)}, b"same": noise(3), b"empty": b"", b"none": {}}


@pytest.fixture
def row(place):
    return back_up(place.vault, 1, FOLDER)


def served(place, ids, allowed, *, compress=True, room=0):
    """Return the chunks that come in the blocks, each block verified, and how many blocks there are."""
    found, count = {}, 0
    for encoded in decode_frames(lay_frames(list(place.vault.blocks(ids, allowed, compress=compress, room=room)))):
        block = decode_block(encoded)
        plain = bytes(verify_block(block, place.keys.key_ids))
        start = 0
        for chunk, size in zip(block.ids, block.sizes, strict=True):
            found[chunk] = plain[start : start + size]
            start += size
        count += 1
    return found, count


def test_everything_of_a_snapshot_comes_in_whole_blocks(place, row):
    ids = ids_of(place.keys, *FILES.values(), noise(99))
    found, count = served(place, [*ids, *ids], place.vault.coverage(row.id))
    assert set(ids) <= set(found)
    assert count == 1


@pytest.mark.parametrize("compress", [True, False])
def test_a_block_is_cut_down_to_what_is_wanted_when_that_is_little(place, row, compress):
    ids = ids_of(place.keys, noise(1), noise(2))
    found, _ = served(place, ids, place.vault.coverage(row.id), compress=compress)
    assert found == dict(zip(ids, (noise(1), noise(2)), strict=True))


@pytest.mark.parametrize("compress", [True, False])
def test_a_block_with_something_that_is_not_allowed_is_cut_down(place, row, compress):
    ids = ids_of(place.keys, *FILES.values())
    found, count = served(place, ids, place.vault.coverage(row.id, [b"files"]), compress=compress)
    assert found == dict(zip(ids, FILES.values(), strict=True))
    assert count == 1


@pytest.mark.parametrize("compress", [True, False])
def test_with_little_of_a_block_all_else_that_is_allowed_comes_along_if_there_is_room(place, row, compress):
    ids = ids_of(place.keys, noise(1), noise(2))
    allowed = dict(zip(ids_of(place.keys, *FILES.values()), FILES.values(), strict=True))
    covered = place.vault.coverage(row.id, [b"files"])
    room = 4096 * (len(FILES) - len(ids))
    assert served(place, ids, covered, compress=compress, room=room)[0] == allowed
    assert served(place, ids, covered, compress=compress, room=room - 1)[0] == {one: allowed[one] for one in ids}
    assert served(place, ids, covered, compress=compress, room=-1)[0] == {one: allowed[one] for one in ids}
    everything = served(place, ids, place.vault.coverage(row.id), compress=compress, room=1 << 40)[0]
    assert everything == allowed | dict(zip(ids_of(place.keys, noise(99)), [noise(99)], strict=True))


def test_nothing_comes_along_with_much_of_a_block(place, row):
    ids = ids_of(place.keys, *(noise(number) for number in range(10)))
    covered = place.vault.coverage(row.id, [b"files"])
    assert set(served(place, ids, covered, room=1 << 40)[0]) == set(ids)


def test_small_chunks_take_more_room_than_their_bytes(place):
    """Whoever keeps them has to know of each; what does not fit there would have been sent in vain."""
    texts = {b"%03d" % number: noise(number, 100) for number in range(100)}
    covered = place.vault.coverage(back_up(place.vault, 1, {b"files": texts}).id)
    (one,) = ids_of(place.keys, texts[b"007"])
    assert len(served(place, [one], covered, room=99 * 4096 - 1)[0]) == 1
    assert len(served(place, [one], covered, room=99 * 4096)[0]) == 100


def test_the_room_is_for_all_blocks_together(place):
    trees = [{b"%d" % day: {b"%02d" % number: noise(100 * day + number) for number in range(20)}} for day in (1, 2, 3)]
    whole = {name: folder for tree in trees for name, folder in tree.items()}
    for number, tree in enumerate(trees):
        row = back_up(place.vault, number + 1, tree)
    row = back_up(place.vault, 9, whole)
    ids = ids_of(place.keys, noise(101), noise(201), noise(301))
    found, count = served(place, ids, place.vault.coverage(row.id), room=4096 * 19 * 2)
    assert (count, len(found)) == (3, 41)


@pytest.mark.parametrize("kept", [{0}, {11}, {0, 11}, {1, 2, 3, 7, 8, 10}, {0, 2, 4, 6, 8, 10}, set(range(1, 12))])
@pytest.mark.parametrize("compress", [True, False])
def test_any_chunks_can_be_cut_out_of_a_block_and_nothing_comes_along(place, kept, compress):
    texts = [b"secret number %d " % number * (20 + 37 * number) for number in range(12)]
    tree = {b"%02d" % number: {b"file": text} for number, text in enumerate(texts)}
    row = back_up(place.vault, 1, tree)
    covered = place.vault.coverage(row.id, [b"%02d" % number for number in kept])
    ids = ids_of(place.keys, *texts)
    wanted = {ids[number]: texts[number] for number in kept}
    (body,) = decode_frames(lay_frames(list(place.vault.blocks(list(wanted), covered, compress=compress))))
    block = decode_block(body)
    assert block.method is (Method.ZSTD if compress else Method.STORED)
    assert bytes(verify_block(block, place.keys.key_ids)) == b"".join(wanted[one] for one in block.ids)
    assert [one for one in ids if one in wanted] == list(block.ids)


@pytest.mark.parametrize(
    ("path", "datas"),
    [
        (b"files/03", [noise(3)]),
        (b"files", [noise(number) for number in range(20)]),
        (b"secret", [noise(99)]),
        (b"empty", []),
        (b"none", []),
    ],
)
def test_coverage_is_what_the_path_reaches(place, row, path, datas):
    covered = place.vault.coverage(row.id, [path])
    ids = ids_of(place.keys, *datas)
    assert set(ids) <= set(served(place, ids, covered)[0])
    for data in {*FILES.values(), noise(99)} - set(datas):
        with pytest.raises(Refused) as refused:
            list(place.vault.blocks(ids_of(place.keys, data), covered))
        assert refused.value.code == "not_granted"


def test_several_paths_cover_what_each_of_them_does(place, row):
    covered = place.vault.coverage(row.id, [b"files/01", b"secret/key"])
    assert set(served(place, ids_of(place.keys, noise(1), noise(99)), covered)[0])
    with pytest.raises(Refused):
        list(place.vault.blocks(ids_of(place.keys, noise(2)), covered))


def test_no_path_and_the_root_cover_all(place, row):
    assert place.vault.coverage(row.id) == place.vault.coverage(row.id, [b""])
    with pytest.raises(NotFound):
        place.vault.coverage(row.id, [b"nothing"])
    with pytest.raises(NotFound):
        place.vault.coverage("0" * 32)


def test_what_is_not_stored_and_what_is_not_granted_are_refused_alike(place, row):
    covered = place.vault.coverage(row.id, [b"files"])
    texts = []
    for chunk in (ids_of(place.keys, noise(99))[0], ChunkId(b"\7" * 32)):
        with pytest.raises(Refused) as refused:
            list(place.vault.blocks([chunk], covered))
        texts.append(str(refused.value))
    assert texts[0] == texts[1]


def test_nothing_is_given_before_all_is_found_to_be_allowed(place, row):
    covered = place.vault.coverage(row.id, [b"files"])
    blocks = place.vault.blocks(ids_of(place.keys, noise(1), noise(99)), covered)
    with pytest.raises(Refused):
        next(blocks)


def test_large_files_are_covered_with_their_lists(place):
    chunks = [noise(number, 300_000) for number in range(3)]
    row = back_up(place.vault, 1, {b"many": b"".join(noise(number, 1 << 20) for number in range(8)), b"x": chunks[0]})
    reader = place.vault.reader(row.id)
    covered = place.vault.coverage(row.id, [b"many"])
    ids = list(reader.content_ids(reader.entry(b"many")))
    found, _ = served(place, ids, covered)
    assert b"".join(found[chunk] for chunk in ids) == b"".join(noise(number, 1 << 20) for number in range(8))


@pytest.fixture
def many(place):
    """What is granted, and the chunks of a large file that no compression makes smaller: blocks side by side."""
    row = back_up(place.vault, 1, {b"large": noise(1, 5 << 20)})
    reader = place.vault.reader(row.id)
    ids = list(reader.content_ids(reader.entry(b"large")))
    assert len(ids) > 2
    return place.vault.coverage(row.id), dict(zip(ids, place.vault.read(ids), strict=True))


def largest_pack(place):
    return max(place.packs(), key=lambda name: len(place.storage.objects[name]))


@pytest.mark.parametrize("wanted", [slice(None), slice(1), slice(-1, None), slice(1, 3), slice(None, None, 2)])
@pytest.mark.parametrize("step", [1, -1])
def test_any_of_many_blocks_come_each_as_it_was_put(place, many, wanted, step):
    covered, datas = many
    ids = list(datas)[wanted][::step]
    found, count = served(place, ids, covered)
    assert found == {chunk: datas[chunk] for chunk in ids}
    assert count == len(ids)


def test_a_changed_byte_damages_its_own_block_and_names_the_pack(place, many):
    covered, datas = many
    name = largest_pack(place)
    whole = place.storage.objects[name]
    at = len(whole) // 2
    place.storage.objects[name] = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
    broken = []
    for chunk, data in datas.items():
        try:
            assert served(place, [chunk], covered)[0] == {chunk: data}
        except Damaged as error:
            broken.append((error.code, name.rpartition("/")[2] in error.text))
    assert broken == [("bad_seal", True)]
    with pytest.raises(Damaged):
        served(place, list(datas), covered)


@pytest.mark.parametrize("compress", [True, False])
def test_a_damaged_block_is_not_cut_down_either(place, row, compress):
    covered = place.vault.coverage(row.id, [b"files"])
    for name in place.packs():
        whole = place.storage.objects[name]
        for at in range(0, len(whole), len(whole) // 20):
            place.storage.objects[name] = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
            for number, data in enumerate(FILES.values()):
                ids = ids_of(place.keys, data)
                with contextlib.suppress(Damaged):
                    assert served(place, ids, covered, compress=compress)[0] == {ids[0]: FILES[b"%02d" % number]}
        place.storage.objects[name] = whole


def test_a_pack_that_is_cut_short_under_way_is_damage(place, many):
    covered, datas = many
    first, *others = datas
    assert served(place, list(datas), covered)[0] == datas
    name = largest_pack(place)
    place.storage.objects[name] = place.storage.objects[name][: len(datas[first]) + 1000]
    assert served(place, [first], covered)[0] == {first: datas[first]}
    with pytest.raises(Damaged):
        served(place, others, covered)


def test_reads_come_in_the_order_asked_and_as_often(place, row):
    datas = [noise(5), noise(1), noise(5), noise(99)]
    assert list(place.vault.read(ids_of(place.keys, *datas))) == datas
    assert list(place.vault.read([])) == []


def test_what_is_not_stored_is_damage_to_a_reader(place, row):
    with pytest.raises(Damaged) as damaged:
        list(place.vault.read([ChunkId(b"\7" * 32)]))
    assert damaged.value.code == "chunk_missing"


def test_a_forged_index_is_found_out(place, row):
    """Someone who can write to the vault's folder, but has no key, sends a chunk's id to another chunk's place."""
    runs = [name for name in place.storage.objects if name.startswith("index/")]
    forge_places(place.storage, max(runs, key=lambda name: len(place.storage.objects[name])))
    forged = place.reopen()
    assert isinstance(forged.vault, Vault)
    wrong = 0
    for data in FILES.values():
        try:
            assert list(forged.vault.read(ids_of(place.keys, data))) == [data]
        except Damaged:
            wrong += 1
    assert wrong > 10


def forge_places(storage, name):
    stored = bytearray(storage.objects[name][:-32])
    count = int.from_bytes(stored[24:32], "little")
    places = len(stored) - 12 * count
    rows = [bytes(stored[places + 12 * n : places + 12 * n + 12]) for n in range(count)]
    stored[places:] = b"".join(rows[1:] + rows[:1])
    storage.objects[name] = bytes(stored) + blake3(stored).digest()
