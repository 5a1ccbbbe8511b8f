"""vault.json: who a vault is and with which parameters it was made. It holds no secret.

Why: whoever finds the folder can tell what it is, and a wrong root key is told at once instead of as damage everywhere.
Promises: decoding raises nothing but `Damaged`; unknown fields and versions are refused.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from strongroom.engine.format.ids import chunk_id
from strongroom.engine.format.keys import FIRST_EPOCH, VAULT_ID_BYTES
from strongroom.errors import Damaged
from strongroom.model.cutting import Cutting

NAME: Final = "vault.json"
_CHECKED: Final = b"strongroom v1 key check"


class VaultFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The content of vault.json.

    Args:
        id: 32 hex digits.
        created: RFC 3339, UTC.
        epoch: of the data key that new packs are sealed with.
        cutting: how its large files are cut, for ever.
        key_check: `key_check` of the vault's K_id.
    """

    format: Literal["strongroom vault"] = "strongroom vault"
    version: Literal[1] = 1
    id: str
    created: str
    epoch: int = FIRST_EPOCH
    cutting: Cutting
    key_check: str

    @property
    def vault_id(self) -> bytes:
        """The id as bytes, as keys and seals use it."""
        return bytes.fromhex(self.id)


def key_check(key_ids: bytes) -> str:
    """Return a word that tells the right key from a wrong one and nothing else."""
    return chunk_id(key_ids, _CHECKED).hex()


def encode_vault_file(file: VaultFile) -> bytes:
    """Return vault.json as text for people, ending with a newline."""
    return msgspec.json.format(msgspec.json.encode(file), indent=2) + b"\n"


def decode_vault_file(stored: bytes) -> VaultFile:
    """Read vault.json.

    Raises:
        Damaged: it is none of a known version (code `bad_vault_file`).
    """
    try:
        file = msgspec.json.decode(stored, type=VaultFile)
        id_bytes = len(file.vault_id)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise Damaged(f"vault.json cannot be read: {error}.", code="bad_vault_file") from error
    if id_bytes != VAULT_ID_BYTES:
        raise Damaged("vault.json names an id of another length.", code="bad_vault_file")
    return file
