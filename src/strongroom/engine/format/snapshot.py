"""The snapshot record: one sealed object for each backup, from which the catalog's row can be made again.

Why: the folder of a vault and its root key are enough to find every snapshot, without any database.
Promises: a record opens only with its vault's key, under its own id; anything else is `Damaged`.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from strongroom.engine.format import magic
from strongroom.engine.format.ids import ID_BYTES
from strongroom.engine.format.keys import associated_data, nonce, snapshot_key
from strongroom.errors import Damaged
from strongroom.model.entry import ChunkId
from strongroom.model.job import Kind
from strongroom.model.policy import Content

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Buffer

SNAPSHOT_ID_BYTES: Final = 16
MAX_RECORD_BYTES: Final = 16 << 20
_HEADER: Final = struct.Struct("<8sBxxxI16s")
_NUMBER: Final = 0
_KIND: Final = 3


class SnapshotRecord(msgspec.Struct, frozen=True, array_like=True):
    """What a snapshot is.

    Args:
        id: 32 hex digits.
        host: the host's id.
        time_ns: when the backup began to look at the files, nanoseconds since 1970.
        base: id of the snapshot before it, empty for a full one.
        root: root node of the host's folder `/`.
        files, size_bytes: what it holds.
        content: the rule that chose what is in it.
    """

    id: str
    set_id: int
    host: str
    job_id: int
    time_ns: int
    kind: Kind
    base: str
    root: ChunkId
    files: int
    size_bytes: int
    content: Content


def seal_snapshot(record: SnapshotRecord, *, vault_id: bytes, epoch: int, data_key: bytes) -> bytes:
    """Return the sealed bytes of a record.

    Args:
        data_key: K_data of `epoch`.
    """
    raw_id = _raw_id(record.id)
    header = _HEADER.pack(magic.SNAPSHOT, magic.SNAPSHOT_VERSION, epoch, vault_id)
    bound = associated_data(vault_id, raw_id, _NUMBER, _KIND)
    return header + AESGCM(snapshot_key(data_key, raw_id)).encrypt(nonce(_NUMBER), _encoder.encode(record), bound)


def open_snapshot(data: Buffer, *, snapshot: str, vault_id: bytes, data_key: Callable[[int], bytes]) -> SnapshotRecord:
    """Open the record that lies under the name `snapshot`.

    Args:
        data_key: gives K_data of an epoch.

    Raises:
        Damaged: the bytes are no record, or not of this snapshot and vault (code `bad_snapshot`).
    """
    view = memoryview(data)
    raw_id = _raw_id(snapshot)
    if not _HEADER.size < len(view) <= MAX_RECORD_BYTES:
        raise _bad(snapshot, "it is cut short or too long")
    mark, version, epoch, vault = _HEADER.unpack_from(view)
    if mark != magic.SNAPSHOT or version != magic.SNAPSHOT_VERSION or any(view[9:12]):
        raise _bad(snapshot, "it has no header of a known version")
    if vault != vault_id:
        raise _bad(snapshot, "it belongs to another vault")
    bound = associated_data(vault_id, raw_id, _NUMBER, _KIND)
    try:
        plain = AESGCM(snapshot_key(data_key(epoch), raw_id)).decrypt(nonce(_NUMBER), view[_HEADER.size :], bound)
        record = _decoder.decode(plain)
    except InvalidTag as error:
        raise _bad(snapshot, "it was altered, or sealed with another key") from error
    except (ValueError, RecursionError) as error:
        raise _bad(snapshot, f"its fields cannot be read ({error})") from error
    if record.id != snapshot or len(record.root) != ID_BYTES:
        raise _bad(snapshot, "its fields contradict its name")
    return record


def _raw_id(snapshot: str) -> bytes:
    try:
        raw = bytes.fromhex(snapshot)
    except ValueError:
        raw = b""
    if raw.hex() != snapshot or len(raw) != SNAPSHOT_ID_BYTES:
        raise _bad(snapshot, "its name is not 32 hex digits")
    return raw


def _bad(snapshot: str, why: str) -> Damaged:
    return Damaged(f"The record of snapshot {snapshot!r} is not valid: {why}.", code="bad_snapshot")


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(SnapshotRecord)
