"""The deduplicating engine: entries in, a sealed snapshot out, and back again, exact to the last byte.

Rooms, by who is trusted with them:

- `format`: bytes to values and back, pure, no I/O. One module per object of docs/format.md.
- `content`: what both sides need. Cutting files into chunks, filling blocks, writing trees (`SnapshotWriter`),
  and reading them again (`SnapshotReader`). It runs on the agent and sees neither storage nor key of storage.
- `vault`: server only. Packs, index, bitmaps, sessions, commit, check (`Vault`). It verifies everything it is given.

Three doors: `SnapshotWriter`, `SnapshotReader`, `Vault`. Nothing else is used from outside.

Write order, always: packs durable, then their ordinals in the ledger, then the index run, then the snapshot record,
then the commit in the ledger. A crash between any two leaves garbage at worst, never a dangling reference.

The engine knows no SQL, no HTTP, no agents and no users. What needs transactions sits behind the `Ledger` port
(`vault/ledger.py`), which the server's catalog implements in its own database and `strongroom.testing` in memory.
"""
