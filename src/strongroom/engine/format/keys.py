"""The keys of a vault, and what every sealed object is bound to.

Why: one root key makes all others by HKDF-SHA256, so there is one secret to keep and no two uses share a key.
Promises: a derived key says nothing of the root key or of another one. Keys never show in a `repr`.
Does not: keep, read or write the root key.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from strongroom.engine.format import magic
from strongroom.errors import Mistake
from strongroom.kernel import gear_table
from strongroom.model.cutting import Cutting  # noqa: TC001  (the field is typed by it at run time)

KEY_BYTES: Final = 32
VAULT_ID_BYTES: Final = 16
FIRST_EPOCH: Final = 1


@dataclass(frozen=True)
class ContentKeys:
    """What an agent needs to cut and name chunks: `key_ids` (K_id), `key_cut` (K_cut), and the sizes to cut by."""

    key_ids: bytes = field(repr=False)
    key_cut: bytes = field(repr=False)
    cutting: Cutting

    def __post_init__(self) -> None:
        """Refuse keys of another length.

        Raises:
            Mistake: a key is not 32 bytes long.
        """
        _require_key(self.key_ids)
        _require_key(self.key_cut)

    @cached_property
    def gear(self) -> bytes:
        """The cutter's table, made once."""
        return gear_table(self.key_cut)


def derive_content_keys(root_key: bytes, vault_id: bytes, cutting: Cutting) -> ContentKeys:
    """Derive K_id and K_cut of a vault, which is cut by `cutting`.

    Raises:
        Mistake: a key or id has the wrong length.
    """
    return ContentKeys(
        key_ids=_derive(root_key, vault_id, b"strongroom v1 chunk id"),
        key_cut=_derive(root_key, vault_id, b"strongroom v1 cut"),
        cutting=cutting,
    )


def derive_data_key(root_key: bytes, vault_id: bytes, epoch: int) -> bytes:
    """Derive K_data of an epoch: the master of its pack and snapshot keys.

    Raises:
        Mistake: a key or id has the wrong length.
    """
    return _derive(root_key, vault_id, b"strongroom v1 data epoch %d" % epoch)


def derive_notes_key(root_key: bytes, vault_id: bytes) -> bytes:
    """Derive K_notes, the key of the digest of notes.

    Raises:
        Mistake: a key or id has the wrong length.
    """
    return _derive(root_key, vault_id, b"strongroom v1 notes")


def pack_key(data_key: bytes, pack_uuid: bytes) -> bytes:
    """Derive the AES-256 key of one pack.

    Raises:
        Mistake: a key or id has the wrong length.
    """
    return _derive(data_key, pack_uuid, b"strongroom v1 pack")


def snapshot_key(data_key: bytes, snapshot_id: bytes) -> bytes:
    """Derive the AES-256 key of one snapshot record; `snapshot_id` is raw, 16 bytes.

    Raises:
        Mistake: a key or id has the wrong length.
    """
    return _derive(data_key, snapshot_id, b"strongroom v1 snapshot")


def nonce(number: int) -> bytes:
    """Return the AES-GCM nonce of block `number` of an object; each number is used once under a key."""
    return struct.pack("<I8x", number)


def associated_data(vault_id: bytes, object_id: bytes, number: int, kind: int) -> bytes:
    """Return what a seal is bound to besides its bytes, so that none can be passed off as another.

    Args:
        object_id: the pack's uuid or the snapshot's id, 16 bytes.
        number: the block number; 0 for a snapshot record.
        kind: 1 data, 2 tree, 3 snapshot record.
    """
    return b"strongroom" + struct.pack("<B16s16sIB", magic.FORMAT_VERSION, vault_id, object_id, number, kind)


def _derive(key: bytes, salt: bytes, label: bytes) -> bytes:
    _require_key(key)
    if len(salt) != VAULT_ID_BYTES:
        raise Mistake(f"An id that keys are derived with has {VAULT_ID_BYTES} bytes, not {len(salt)}.", code="bad_key")
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=salt, info=label).derive(key)


def _require_key(key: bytes) -> None:
    if len(key) != KEY_BYTES:
        raise Mistake(f"A key has {KEY_BYTES} bytes, not {len(key)}.", code="bad_key")
