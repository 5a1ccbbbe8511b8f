"""The power is cut before or after every single write of storage and ledger, one at a time.

Whatever the moment: the vault opens, a check passes, every snapshot that exists reads back exactly, one whose commit
was answered exists, and the next backup works.
"""

import random

import pytest

from strongroom.engine.format.block import BlockKind
from strongroom.engine.vault import packs
from strongroom.engine.vault.ledger import SessionState
from strongroom.engine.vault.storage.local import LocalStorage
from strongroom.engine.vault.vault import Vault
from strongroom.errors import StrongroomError
from strongroom.testing.faulty_storage import FaultyLedger, FaultyStorage, Fuse
from strongroom.testing.memory_ledger import MemoryLedger
from strongroom.testing.memory_storage import MemoryStorage
from strongroom.testing.vault_driver import ROOT_KEY, back_up, block_of, put_folder, read_back


def noise(seed, size):
    return random.Random(seed).randbytes(size)


FIRST = {b"a": noise(1, 30_000), b"b": {b"c": b"small", b"d": noise(2, 90_000)}}
SECOND = {**FIRST, b"a": noise(3, 40_000), b"e": {}}
THIRD = {**SECOND, b"f": noise(4, 10_000)}
FOURTH = {**THIRD, b"g": noise(5, 10_000)}


@pytest.fixture(autouse=True)
def small_packs(monkeypatch):
    """Packs so small that a few files fill several."""
    monkeypatch.setattr(packs, "PACK_BYTES", {BlockKind.DATA: 40_000, BlockKind.TREE: 600})


class Machine:
    """A storage and a ledger that survive, and what the world was told by the vault above them."""

    def __init__(self, tmp_path, kind):
        self.kind = kind
        self.folder = tmp_path / "vault"
        self.ledger = MemoryLedger()
        self.storage = LocalStorage(self.folder) if kind == "local" else MemoryStorage()
        self.answered = {}
        Vault.create(self.storage, ROOT_KEY, self.ledger).close()

    def live(self, fuse):
        """Work as a server does: two backups, an aborted one, another backup, until the fuse blows."""
        vault = Vault.open(FaultyStorage(self.storage, fuse), ROOT_KEY, FaultyLedger(self.ledger, fuse))
        base = ""
        for folder in (FIRST, SECOND):
            row = back_up(vault, 1, folder, base=base)
            self.answered[row.id] = folder
            base = row.id
        aborted = vault.open_session(set_id=1, job_id=2, base=base)
        aborted.put([block_of(vault.content_keys, noise(4, 10_000), noise(6, 50_000))])
        aborted.checkpoint()
        aborted.put([block_of(vault.content_keys, noise(7, 10_000))])
        aborted.end()
        row = back_up(vault, 1, THIRD, base=base)
        self.answered[row.id] = THIRD
        vault.close()

    def start_again(self):
        self.ledger = self.ledger.after_crash()
        if self.kind == "local":
            self.storage.close()
            self.storage = LocalStorage(self.folder)
        else:
            self.storage = self.storage.after_crash()
        return Vault.open(self.storage, ROOT_KEY, self.ledger)


def run_until_power_cut(machine, fuse):
    try:
        machine.live(fuse)
    except StrongroomError:
        assert fuse.blown
        return True
    return fuse.blown


def steps_of_a_whole_life(tmp_path):
    fuse = Fuse()
    machine = Machine(tmp_path / "whole", "memory")
    machine.live(fuse)
    assert len(machine.answered) == 3
    return fuse.passed


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("kind", ["memory", "local"])
def test_a_power_cut_at_any_step_does_no_harm(tmp_path, kind, after):
    steps = steps_of_a_whole_life(tmp_path)
    assert steps > 80
    for step in range(0, steps, 1 if kind == "memory" else 6):  # a real disk takes its time over each fsync
        machine = Machine(tmp_path / str(step), kind)
        assert run_until_power_cut(machine, Fuse(step, after=after)), step
        vault = machine.start_again()
        require_all_is_well(machine, vault)
        vault.close()


def require_all_is_well(machine, vault):
    assert machine.ledger.open_sessions() == []
    report = vault.check(read_data=True)
    assert report.findings == ()
    snapshots = {row.id: row for row in machine.ledger.snapshots()}
    assert set(machine.answered) <= set(snapshots)
    for row, folder in zip(snapshots.values(), (FIRST, SECOND, THIRD), strict=False):
        assert read_back(vault, row.id) == folder
    if machine.kind == "local":
        assert list((machine.folder / "tmp").iterdir()) == []
    base = next(reversed(snapshots), "")
    row = back_up(vault, 1, FOURTH, base=base)
    assert read_back(vault, row.id) == FOURTH


def test_what_was_durable_before_the_power_cut_is_not_sent_again(tmp_path):
    machine = Machine(tmp_path, "memory")
    fuse = Fuse()
    vault = Vault.open(FaultyStorage(machine.storage, fuse), ROOT_KEY, FaultyLedger(machine.ledger, fuse))
    session = vault.open_session(set_id=1, job_id=1)
    put_folder(vault.content_keys, session, FIRST)
    session.checkpoint()
    fuse.blown = True
    vault = machine.start_again()
    assert machine.ledger.session(session.id).state is SessionState.ENDED
    again = vault.open_session(set_id=1, job_id=2)
    assert not again.knows_nothing
    put_folder(vault.content_keys, again, FIRST)
    assert again.stored_bytes == 0


def put_much(vault, session):
    for seed in range(20):
        session.put([block_of(vault.content_keys, noise(100 + seed, 20_000))])


@pytest.mark.parametrize("steps", range(12))
def test_a_full_disk_fails_the_session_and_nothing_else(tmp_path, steps):
    """One write fails and the next ones work again: the session is broken, the vault goes on."""
    machine = Machine(tmp_path, "memory")
    fuse = Fuse()
    vault = Vault.open(FaultyStorage(machine.storage, fuse), ROOT_KEY, FaultyLedger(machine.ledger, fuse))
    first = back_up(vault, 1, FIRST)
    session = vault.open_session(set_id=1, job_id=2, base=first.id)
    fuse.fail_once_after(steps)
    with pytest.raises(StrongroomError):
        put_much(vault, session)
    with pytest.raises(StrongroomError) as broken:
        session.put([block_of(vault.content_keys, b"more")])
    assert (broken.value.code, broken.value.retryable) == ("session_broken", False)
    session.end()
    second = back_up(vault, 1, SECOND, base=first.id)
    assert read_back(vault, second.id) == SECOND
    assert vault.check(read_data=True).healthy
