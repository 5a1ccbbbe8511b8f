"""A hostile caller at a session: false ids, chunks of others, trees that claim too much.

What it must never get: a chunk stored under a false id, an answer that tells what others have, or a snapshot that
refers to anything its own set did not put.
"""

import random

import pytest

from strongroom.engine.format.block import Block, BlockKind, Method, decode_block, encode_block
from strongroom.engine.format.ids import chunk_id
from strongroom.engine.format.tree import encode_leaf
from strongroom.engine.vault.ledger import SessionState
from strongroom.errors import Conflict, Mistake, NotFound
from strongroom.model.entry import ChunkId, Entry, EntryType, Stat
from strongroom.testing.vault_driver import back_up, block_of, details, ids_of, put_folder, read_back

SECRET = b"what another host has stored"
NOISE = random.Random(1).randbytes(5000)


@pytest.fixture
def victim(place):
    """A snapshot of another set, with content that the attacker knows the id of."""
    return back_up(place.vault, 1, {b"secret": SECRET, b"noise": NOISE})


@pytest.fixture
def attacker(place):
    return place.vault.open_session(set_id=2, job_id=2)


def leaf_that_refers_to(*chunks):
    entries = [
        Entry(Stat(b"f%d" % at, EntryType.FILE, 0, 0, 0, 1, 1, 1, 1), content=(chunk,))
        for at, chunk in enumerate(chunks)
    ]
    return encode_leaf(entries)


def put_root(place, session, node):
    session.put([block_of(place.keys, node, kind=BlockKind.TREE)])
    return chunk_id(place.keys.key_ids, node)


def require_refused(place, session, root, code="incomplete_tree", family=Conflict):
    before = len(place.ledger.snapshots())
    with pytest.raises(family) as refused:
        session.commit(root, details())
    assert refused.value.code == code
    assert len(place.ledger.snapshots()) == before
    assert place.ledger.session(session.id).state is SessionState.OPEN


def test_a_few_bytes_that_expand_to_hours_of_work_are_refused(place, attacker):
    block = block_of(place.keys, bytes(4 << 20))
    attacker.put([block] * 64)
    with pytest.raises(Mistake) as refused:
        attacker.put([block] * 65)
    assert refused.value.code == "too_large"
    assert attacker.state is SessionState.OPEN


class TestFalseIds:
    def test_a_chunk_under_a_false_id_refuses_the_whole_parcel(self, place, attacker):
        good, false = block_of(place.keys, b"good"), decode_block(block_of(place.keys, b"one", b"two"))
        forged = Block(false.kind, false.method, (false.ids[0], ids_of(place.keys, b"else")[0]), (3, 3), false.payload)
        with pytest.raises(Mistake) as refused:
            attacker.put([good, encode_block(forged)])
        assert refused.value.code == "false_id"
        assert attacker.missing(ids_of(place.keys, b"good", b"one", b"two", b"else")) == [True] * 4
        assert attacker.stored_bytes == 0
        attacker.checkpoint()
        assert place.packs() == []

    def test_the_id_of_a_stored_chunk_cannot_be_claimed_with_other_bytes(self, place, victim, attacker):
        forged = Block(BlockKind.DATA, Method.STORED, tuple(ids_of(place.keys, SECRET)), (1,), b"x")
        with pytest.raises(Mistake):
            attacker.put([encode_block(forged)])
        assert read_back(place.vault, victim.id)[b"secret"] == SECRET

    @pytest.mark.parametrize("change", range(0, 80, 3))
    def test_malformed_blocks_are_the_callers_mistake(self, place, attacker, change):
        block = bytearray(block_of(place.keys, b"some text " * 20))
        block[change] ^= 0x55
        with pytest.raises(Mistake) as refused:
            attacker.put([bytes(block)])
        assert refused.value.code in {"bad_block", "false_id"}
        for size in (0, change, len(block) - 1):
            with pytest.raises(Mistake):
                attacker.put([bytes(block[:size])])


class TestChunksOfOthers:
    def test_missing_says_send_it_for_what_only_others_have(self, place, victim, attacker):
        ids = ids_of(place.keys, SECRET, NOISE)
        assert attacker.missing([*ids, ChunkId(victim.root), ChunkId(bytes(32))]) == [True] * 4
        assert attacker.knows_nothing

    def test_a_tree_that_refers_to_chunks_of_others_is_refused(self, place, victim, attacker):
        root = put_root(place, attacker, leaf_that_refers_to(*ids_of(place.keys, SECRET)))
        require_refused(place, attacker, root)

    def test_the_root_of_others_is_refused(self, place, victim, attacker):
        require_refused(place, attacker, victim.root)

    def test_the_refusal_does_not_tell_whether_the_chunk_exists(self, place, victim, attacker):
        texts = []
        for chunk in (ids_of(place.keys, SECRET)[0], ChunkId(b"\1" * 32)):
            root = put_root(place, attacker, leaf_that_refers_to(chunk))
            with pytest.raises(Conflict) as refused:
                attacker.commit(root, details())
            texts.append((refused.value.code, refused.value.text.replace(chunk.hex(), "…")))
        assert texts[0] == texts[1]

    def test_putting_what_others_have_answers_as_if_it_were_new(self, place, victim, attacker):
        known, unknown = block_of(place.keys, NOISE), block_of(place.keys, random.Random(2).randbytes(5000))
        packs = place.packs()
        assert attacker.put([known]) == attacker.put([unknown]) > 5000 - 100
        assert attacker.put([known]) == attacker.put([unknown]) == 0
        attacker.checkpoint()
        assert len(place.packs()) == len(packs) + 1
        assert attacker.stored_bytes < 6000

    def test_what_others_are_putting_right_now_answers_as_if_it_were_new(self, place, attacker):
        other = place.vault.open_session(set_id=3, job_id=3)
        block = block_of(place.keys, NOISE)
        size = other.put([block])
        assert attacker.missing(ids_of(place.keys, NOISE)) == [True]
        assert attacker.put([block]) == size
        assert attacker.missing(ids_of(place.keys, NOISE)) == [False]

    def test_having_put_it_one_may_refer_to_it(self, place, victim, attacker):
        attacker.put([block_of(place.keys, SECRET)])
        root = put_root(place, attacker, leaf_that_refers_to(*ids_of(place.keys, SECRET)))
        row = attacker.commit(root, details())
        assert b"".join(place.vault.read(ids_of(place.keys, SECRET))) == SECRET
        assert row.set_id == 2

    def test_the_base_must_be_of_the_same_set(self, place, victim):
        with pytest.raises(NotFound):
            place.vault.open_session(set_id=2, job_id=2, base=victim.id)

    def test_what_an_unfinished_session_of_another_set_stored_stays_its_own(self, place):
        other = place.vault.open_session(set_id=1, job_id=1)
        other.put([block_of(place.keys, SECRET)])
        other.end()
        session = place.vault.open_session(set_id=2, job_id=2)
        assert session.missing(ids_of(place.keys, SECRET)) == [True]


class TestTrees:
    def test_ids_that_nobody_put_are_refused(self, place, attacker):
        require_refused(place, attacker, b"\1" * 32)
        root = put_root(place, attacker, leaf_that_refers_to(ChunkId(b"\2" * 32)))
        require_refused(place, attacker, root)

    def test_what_is_no_node_is_refused_as_a_mistake(self, place, attacker):
        attacker.put([block_of(place.keys, b"no node at all", kind=BlockKind.TREE)])
        (root,) = ids_of(place.keys, b"no node at all")
        require_refused(place, attacker, root, "bad_node", Mistake)

    def test_a_node_is_followed_also_when_it_is_referred_to_as_data_first(self, place, victim, attacker):
        """Were data and tree references counted together, the second mention would be skipped, and with it the walk."""
        bad = leaf_that_refers_to(*ids_of(place.keys, SECRET))
        bad_id = put_root(place, attacker, bad)
        entries = [
            Entry(Stat(b"as data", EntryType.FILE, 0, 0, 0, 1, 1, 1, 1), content=(bad_id,)),
            Entry(Stat(b"as tree", EntryType.FOLDER, 0, 0, 0, 0, 1, 1, 1), subtree=bad_id),
        ]
        root = put_root(place, attacker, encode_leaf(entries))
        require_refused(place, attacker, root)
        data_only = put_root(place, attacker, encode_leaf(entries[:1]))
        top = encode_leaf(
            [Entry(Stat(b"sub", EntryType.FOLDER, 0, 0, 0, 0, 1, 1, 1), subtree=data_only), entries[1]][::-1]
        )
        require_refused(place, attacker, put_root(place, attacker, top))

    def test_a_node_that_another_host_planted_as_data_can_still_be_used_as_a_node(self, place, attacker):
        folder = {b"file": b"content"}
        planted = put_folder(place.keys, place.vault.open_session(set_id=9, job_id=9), folder)
        node = leaf_that_refers_to(*ids_of(place.keys, b"content"))
        attacker.put([block_of(place.keys, node, kind=BlockKind.DATA)])
        honest = place.vault.open_session(set_id=3, job_id=3)
        honest.put([block_of(place.keys, b"content")])
        root = put_root(place, honest, node)
        row = honest.commit(root, details())
        assert [entry.name for entry in place.vault.reader(row.id).folder()] == [b"f0"]
        assert planted != root

    def test_very_deep_trees_are_walked(self, place, attacker):
        root = put_root(place, attacker, encode_leaf([]))
        for _ in range(2000):
            entry = Entry(Stat(b"d", EntryType.FOLDER, 0, 0, 0, 0, 1, 1, 1), subtree=root)
            root = put_root(place, attacker, encode_leaf([entry]))
        row = attacker.commit(root, details())
        assert len(place.vault.coverage(row.id)) == 2001

    def test_a_tree_that_lists_without_end_is_refused(self, place, attacker):
        """61 nodes, each listed twice by the next: 2**60 folders for whoever lists them."""
        root = put_root(place, attacker, encode_leaf([]))
        for _ in range(60):
            twice = [Entry(Stat(name, EntryType.FOLDER, 0, 0, 0, 0, 1, 1, 1), subtree=root) for name in (b"a", b"b")]
            root = put_root(place, attacker, encode_leaf(twice))
        require_refused(place, attacker, root, "tree_too_large", Mistake)

    def test_many_twins_side_by_side_are_listed_twice_each(self, place, attacker):
        """The product of their references is 2**40, but no way leads by more than one of them."""
        twins = []
        for number in range(40):
            stat = Stat(b"%02d" % number, EntryType.FIFO, 0, 0, 0, 0, 1, 1, 1)
            inner = put_root(place, attacker, encode_leaf([Entry(stat)]))
            twins += [
                Entry(Stat(b"%02d%s" % (number, name), EntryType.FOLDER, 0, 0, 0, 0, 1, 1, 1), subtree=inner)
                for name in (b"a", b"b")
            ]
        row = attacker.commit(put_root(place, attacker, encode_leaf(twins)), details())
        assert len(place.vault.coverage(row.id)) == 41

    def test_equal_folders_may_share_their_node(self, place, attacker):
        root = put_root(place, attacker, encode_leaf([]))
        for names in (b"abc", bytes(range(48, 58)), bytes(range(65, 91))):
            same = [Entry(Stat(b"%c" % n, EntryType.FOLDER, 0, 0, 0, 0, 1, 1, 1), subtree=root) for n in names]
            root = put_root(place, attacker, encode_leaf(same))
        row = attacker.commit(root, details())
        assert len(place.vault.coverage(row.id)) == 4


class TestSessionsThatAreOver:
    @pytest.mark.parametrize("ending", ["end", "commit"])
    def test_nothing_more_can_be_done(self, place, attacker, ending):
        root = put_root(place, attacker, encode_leaf([]))
        if ending == "end":
            attacker.end()
        else:
            attacker.commit(root, details())
        for action in (
            lambda: attacker.put([block_of(place.keys, b"more")]),
            lambda: attacker.missing(ids_of(place.keys, b"more")),
            attacker.checkpoint,
            lambda: attacker.commit(b"\1" * 32, details()),
        ):
            with pytest.raises(Conflict) as refused:
                action()
            assert refused.value.code == "session_ended"
        attacker.end()
        if ending == "end":
            with pytest.raises(Conflict):
                place.vault.session(attacker.id)

    def test_names_of_sessions_that_never_were_are_not_found(self, place):
        with pytest.raises(NotFound):
            place.vault.session("0" * 32)
