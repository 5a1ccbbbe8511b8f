"""The vault: the door to everything that is stored.

Why: the server asks it for sessions to write, for chunks to read, for proof that all is well. Nothing else of this room
is used from outside but the values that it takes and returns.
Promises: one open vault per storage. What a crash left behind is put right by `open`: drafts are dropped, sessions that
were open are ended, packs that no index run covers are indexed again. Packs and records that no row names are harmless.
Safe to use from several threads.
"""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Self

from pyroaring import BitMap64

from strongroom import clock
from strongroom.engine.content.reader import SnapshotReader
from strongroom.engine.format.keys import VAULT_ID_BYTES, derive_content_keys
from strongroom.engine.format.vaultfile import NAME, VaultFile, decode_vault_file, encode_vault_file, key_check
from strongroom.engine.vault.bitmaps import bitmap_of_packs, decode_bitmap
from strongroom.engine.vault.check import CheckReport, check_vault
from strongroom.engine.vault.core import assemble
from strongroom.engine.vault.keyring import Keyring
from strongroom.engine.vault.ledger import PackState, SessionRow, SessionState
from strongroom.engine.vault.serving import Serving
from strongroom.engine.vault.session import History, Session
from strongroom.errors import Conflict, Mistake, NotFound, Unavailable
from strongroom.model.cutting import CUTTING
from strongroom.model.entry import ChunkId, Entry, EntryType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType

    from strongroom.engine.format.keys import ContentKeys
    from strongroom.engine.vault.core import Core
    from strongroom.engine.vault.ledger import Ledger
    from strongroom.engine.vault.portion import Portion
    from strongroom.engine.vault.sealed import SealedBlock
    from strongroom.engine.vault.storage.base import Storage

UNFINISHED_KEPT: Final = timedelta(days=7)
"""How long after its end what an aborted session stored stays its set's: a fresh backup does not send it again."""


@dataclass(frozen=True)
class VaultStats:
    """How much is stored; all sizes in bytes.

    Args:
        stored_bytes: of all packs, as files.
        plain_bytes: of all chunks, each once, before compression.
        source_bytes: of all snapshots, as the hosts see them.
    """

    packs: int
    bad_packs: int
    stored_bytes: int
    chunks: int
    plain_bytes: int
    snapshots: int
    source_bytes: int

    @property
    def dedup_ratio(self) -> float:
        """How many source bytes share one plain byte; 1.0 for an empty vault."""
        return self.source_bytes / self.plain_bytes if self.plain_bytes else 1.0

    @property
    def compression_ratio(self) -> float:
        """How many plain bytes one stored byte holds; 1.0 for an empty vault."""
        return self.plain_bytes / self.stored_bytes if self.stored_bytes else 1.0


class Vault:
    """See the module's docstring. Made by `create` and `open`."""

    def __init__(self, core: Core) -> None:
        """Serve from the parts of a vault; used by `create` and `open`."""
        self._core = core
        self._serving = Serving(core)
        self._sessions: dict[str, Session] = {}
        self._closed = False
        self._lock = threading.Lock()

    @classmethod
    def create(cls, storage: Storage, root_key: bytes, ledger: Ledger) -> Self:
        """Make a new vault in an empty storage and open it.

        Raises:
            Conflict: there is a vault already (code `vault_exists`), or it is in use (code `vault_in_use`).
            Mistake: the root key has the wrong length (code `bad_key`).
        """
        vault_id = secrets.token_bytes(VAULT_ID_BYTES)
        file = VaultFile(
            id=vault_id.hex(),
            created=clock.now().isoformat(timespec="seconds"),
            cutting=CUTTING,
            key_check=key_check(derive_content_keys(root_key, vault_id, CUTTING).key_ids),
        )
        if storage.exists(NAME):
            raise Conflict("There is a vault here already.", code="vault_exists")
        storage.put(NAME, [encode_vault_file(file)])
        return cls.open(storage, root_key, ledger)

    @classmethod
    def open(cls, storage: Storage, root_key: bytes, ledger: Ledger) -> Self:
        """Open a vault and put right what a crash left behind.

        Raises:
            NotFound: there is no vault here.
            Mistake: the root key is not this vault's (code `wrong_root_key`).
            Conflict: another process has it open (code `vault_in_use`).
            Damaged: vault.json cannot be read (code `bad_vault_file`).
        """
        if not storage.exists(NAME):
            raise NotFound("There is no vault here.", hint="Make one first, or look whether the folder is mounted.")
        file = decode_vault_file(storage.read(NAME, 0, storage.size(NAME)))
        keyring = Keyring(root_key, file)
        if key_check(keyring.content.key_ids) != file.key_check:
            raise Mistake("The root key is not the one of this vault.", code="wrong_root_key")
        storage.claim()
        try:
            core = assemble(storage, ledger, keyring)
            for session in ledger.open_sessions():
                ledger.end_session(session.id)
            core.index.load(ledger.packs(), lambda row: core.files.read_file(row.name).table)
        except BaseException:
            storage.close()
            raise
        return cls(core)

    def close(self) -> None:
        """End all sessions and give the storage back; no session can be opened any more."""
        with self._lock:
            self._closed = True
            sessions = list(self._sessions.values())
        for session in sessions:
            session.end()
        self._core.storage.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def content_keys(self) -> ContentKeys:
        """The keys of chunk ids and cuts, which agents get."""
        return self._core.keyring.content

    def open_session(self, *, set_id: int, job_id: int, base: str = "") -> Session:
        """Begin to write for a job; the base snapshot is pinned until the session is over.

        Raises:
            NotFound: the base does not exist, or is not of this set.
            Unavailable: the vault is being closed (code `vault_closed`).
        """
        history = self._history(set_id, base)
        row = SessionRow(secrets.token_hex(16), set_id, job_id, base, SessionState.OPEN, b"", clock.now())
        session = Session(self._core, row, history, self._forget)
        with self._lock:
            if self._closed:
                raise Unavailable("The vault is being closed.", code="vault_closed")
            self._sessions[row.id] = session
        try:
            self._core.ledger.add_session(row)
        except BaseException:
            self._forget(row.id)
            raise
        return session

    def session(self, name: str) -> Session:
        """Return the session of this name; a committed one answers `commit` again, even after a restart.

        Raises:
            Conflict: it is over without a snapshot, or was open before the server restarted (code `session_ended`).
            NotFound: there is none of this name.
        """
        with self._lock:
            session = self._sessions.get(name)
        if session is not None:
            return session
        row = self._core.ledger.session(name)
        if row.state is not SessionState.COMMITTED:
            raise Conflict(f"The session is {row.state}.", code="session_ended")
        return Session(self._core, row, History(BitMap64(), BitMap64()), self._forget)

    def read(self, ids: Sequence[ChunkId]) -> Iterator[bytes]:
        """Yield the plain bytes of chunks; see `Serving.read`."""
        return self._serving.read(ids)

    def blocks(
        self, ids: Sequence[ChunkId], allowed: BitMap64, *, compress: bool = True, room: int = 0
    ) -> Iterator[SealedBlock | Portion | bytes]:
        """Yield blocks that hold the wanted chunks; see `Serving.blocks`."""
        return self._serving.blocks(ids, allowed, compress=compress, room=room)

    def reader(self, snapshot: str) -> SnapshotReader:
        """Return a reader of a snapshot.

        Raises:
            NotFound: there is no such snapshot.
        """
        return SnapshotReader(self, ChunkId(self._core.ledger.snapshot(snapshot).root))

    def coverage(self, snapshot: str, paths: Sequence[bytes] = ()) -> BitMap64:
        """Return the ordinals of what these paths of a snapshot reach; all of it when there are no paths.

        Raises:
            NotFound: there is no such snapshot or path.
            Damaged: a node on the way to a path cannot be read. Below the paths, what cannot be read is left out.
        """
        if not paths:
            return decode_bitmap(self._core.ledger.bitmap(snapshot))
        reader = self.reader(snapshot)
        covered = BitMap64()
        for path in paths:
            if not path:
                return decode_bitmap(self._core.ledger.bitmap(snapshot))
            covered |= self._reach_of(reader.entry(path))
        return covered

    def is_whole(self, snapshot: str) -> bool:
        """Tell whether every chunk of a snapshot is alive; one that is not should be nobody's base.

        Raises:
            NotFound: there is no such snapshot.
        """
        return self._core.index.has_all(decode_bitmap(self._core.ledger.bitmap(snapshot)))

    def check(self, *, read_data: bool, progress: Callable[[int, int], None] = lambda *_: None) -> CheckReport:
        """Check that everything is as it was written; see `check_vault`."""
        return check_vault(self._core, read_data=read_data, progress=progress)

    def stats(self) -> VaultStats:
        """Return how much is stored."""
        packs, snapshots = self._core.ledger.packs(), self._core.ledger.snapshots()
        return VaultStats(
            packs=len(packs),
            bad_packs=sum(pack.state is PackState.BAD for pack in packs),
            stored_bytes=sum(pack.size_bytes for pack in packs),
            chunks=sum(pack.chunks for pack in packs),
            plain_bytes=self._core.index.plain_bytes(),
            snapshots=len(snapshots),
            source_bytes=sum(snapshot.size_bytes for snapshot in snapshots),
        )

    def _history(self, set_id: int, base: str) -> History:
        ledger = self._core.ledger
        reach = BitMap64()
        if base:
            if ledger.snapshot(base).set_id != set_id:
                raise NotFound(f"There is no snapshot {base} of this set.")
            reach = decode_bitmap(ledger.bitmap(base))
        unfinished = BitMap64()
        for session in ledger.unfinished_sessions(set_id, clock.now() - UNFINISHED_KEPT):
            unfinished |= decode_bitmap(session.reach) | bitmap_of_packs(ledger.packs_of_session(session.id))
        return History(reach, unfinished)

    def _reach_of(self, entry: Entry) -> BitMap64:
        walker = self._core.walker
        if entry.stat.type == EntryType.FOLDER:
            return walker.reach([entry.subtree], None)
        if entry.depth:
            return walker.reach(entry.content, None)
        return walker.find(b"".join(entry.content), None)

    def _forget(self, session: str) -> None:
        with self._lock:
            self._sessions.pop(session, None)
