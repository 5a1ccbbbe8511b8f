"""The vault against a dictionary: sessions of several sets, in any order, with aborts, reopening and damage.

The model knows, for each set, which chunks it may refer to and, for each snapshot, the folder it was made of. After any
history the vault must agree with it: what is missing, what is refused, what reads back.
"""

import random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, precondition, rule

from strongroom.engine.format.block import BlockKind
from strongroom.engine.vault import packs
from strongroom.engine.vault.vault import Vault
from strongroom.errors import Conflict, NotFound
from strongroom.testing.memory_ledger import MemoryLedger
from strongroom.testing.memory_storage import MemoryStorage
from strongroom.testing.vault_driver import ROOT_KEY, block_of, details, ids_of, put_folder, read_back

SETS = st.integers(1, 3)
# Few different contents, so that sets meet in them all the time.
DATAS = st.integers(0, 30).map(lambda seed: random.Random(seed).randbytes(1 + seed * 97))
NAMES = st.sampled_from([b"a", b"b", b"c", b"d"])
FOLDERS = st.recursive(
    st.dictionaries(NAMES, DATAS, max_size=3),
    lambda below: st.dictionaries(NAMES, DATAS | below, max_size=3),
    max_leaves=6,
)


def datas_in(folder):
    for value in folder.values():
        yield from datas_in(value) if isinstance(value, dict) else ([value] if value else [])


class VaultMachine(RuleBasedStateMachine):
    sessions = Bundle("sessions")

    @initialize()
    def create(self):
        self.storage, self.ledger = MemoryStorage(), MemoryLedger()
        self.vault = Vault.create(self.storage, ROOT_KEY, self.ledger)
        self.folders = {}  # snapshot id -> (set, folder)
        self.kept = {}  # set -> data of its unfinished sessions, durable
        self.may = {}  # session id -> data it may refer to
        self.own = {}  # session id -> data that it put, whatever its base holds
        self.durable = {}  # session id -> data that was sealed at its last checkpoint

    @rule(target=sessions, set_id=SETS, on_newest=st.booleans())
    def open_session(self, set_id, on_newest):
        mine = [snapshot for snapshot, (of, _) in self.folders.items() if of == set_id]
        base = mine[-1] if mine and on_newest else ""
        session = self.vault.open_session(set_id=set_id, job_id=1, base=base)
        based_on = set(datas_in(self.folders[base][1])) if base else set()
        self.may[session.id] = based_on | self.kept.get(set_id, set())
        self.durable[session.id] = set()
        self.own[session.id] = set()
        if session.knows_nothing:
            assert not self.may[session.id]
        return session

    @rule(set_id=SETS)
    def refuse_the_base_of_another_set(self, set_id):
        for snapshot, (of, _) in self.folders.items():
            if of != set_id:
                with pytest.raises(NotFound):
                    self.vault.open_session(set_id=set_id, job_id=1, base=snapshot)
                return

    @rule(session=sessions, datas=st.lists(DATAS, min_size=1, max_size=6))
    def put(self, session, datas):
        if self.is_over(session):
            return
        before = self.may[session.id]
        new = session.put([block_of(self.vault.content_keys, *datas)])
        assert (new == 0) == (set(datas) <= before)
        self.may[session.id] = before | set(datas)
        self.own[session.id] |= set(datas)

    @rule(session=sessions, datas=st.lists(DATAS, max_size=8))
    def ask_missing(self, session, datas):
        if self.is_over(session):
            return
        answers = session.missing(ids_of(self.vault.content_keys, *datas))
        assert answers == [data not in self.may[session.id] for data in datas]

    @rule(session=sessions)
    def checkpoint(self, session):
        if self.is_over(session):
            return
        session.checkpoint()
        self.durable[session.id] = set(self.own[session.id])

    @rule(session=consumes(sessions), folder=FOLDERS)
    def commit(self, session, folder):
        if self.is_over(session):
            return
        root = put_folder(self.vault.content_keys, session, folder)
        row = session.commit(root, details())
        assert self.vault.session(session.id).commit(root, details()) == row
        self.folders[row.id] = (session.set_id, folder)

    @rule(session=consumes(sessions))
    def end(self, session):
        if self.is_over(session):
            return
        session.end()
        self.kept.setdefault(session.set_id, set()).update(self.own[session.id])
        self.may.pop(session.id)

    @rule(session=sessions)
    def refuse_the_tree_of_another_set(self, session):
        if self.is_over(session):
            return
        for snapshot, (of, folder) in self.folders.items():
            if of != session.set_id and not set(datas_in(folder)) <= self.may[session.id]:
                with pytest.raises(Conflict):
                    session.commit(self.ledger.snapshot(snapshot).root, details())
                return

    @rule(crash=st.booleans(), lost=st.sets(st.sampled_from(["index/", "notes/"])))
    def reopen(self, crash, lost):
        still_open = {row.id: row.set_id for row in self.ledger.open_sessions()}
        if crash:
            self.storage, self.ledger = self.storage.after_crash(), self.ledger.after_crash()
        else:
            self.vault.close()
        for folder in lost:
            for name in list(self.storage.names(folder)):
                self.storage.discard(name)
        self.vault = Vault.open(self.storage, ROOT_KEY, self.ledger)
        for session, set_id in still_open.items():
            self.may.pop(session)
            put = self.own[session]
            survived = self.durable[session] if crash else put
            self.kept.setdefault(set_id, set()).update(survived | self.survived_by_luck(set_id, put))

    def survived_by_luck(self, set_id, datas):
        """What was in a full pack when the crash came is durable without a checkpoint; only the vault knows it."""
        session = self.vault.open_session(set_id=set_id, job_id=1)
        in_order = sorted(datas)
        missing = session.missing(ids_of(self.vault.content_keys, *in_order))
        session.end()
        return {data for data, absent in zip(in_order, missing, strict=True) if not absent}

    @precondition(lambda self: self.folders)
    @rule(data=st.data())
    def read_one_back(self, data):
        snapshot = data.draw(st.sampled_from(sorted(self.folders)))
        assert read_back(self.vault, snapshot) == self.folders[snapshot][1]
        assert self.vault.is_whole(snapshot)

    @invariant()
    def nothing_is_damaged(self):
        assert self.vault.check(read_data=True).healthy

    @invariant()
    def each_chunk_is_stored_once(self):
        ids = [chunk for _, chunk in self.vault._core.index.ids_between(0, 1 << 40)]
        assert len(ids) == len(set(ids))

    def is_over(self, session):
        return session.id not in self.may or session.state != "open"


@pytest.fixture(autouse=True)
def small_packs(monkeypatch):
    monkeypatch.setattr(packs, "PACK_BYTES", {BlockKind.DATA: 3000, BlockKind.TREE: 500})


class TestVaultModel(VaultMachine.TestCase):
    settings = settings(max_examples=50, stateful_step_count=40, deadline=None)
