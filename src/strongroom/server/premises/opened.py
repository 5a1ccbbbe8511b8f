"""Opening the data folder, and the one place that remembers which is open."""

from __future__ import annotations

import contextlib
import hashlib
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding
from django.db import DatabaseError, OperationalError

from strongroom.engine.vault.storage.local import LocalStorage
from strongroom.engine.vault.vault import Vault
from strongroom.errors import Damaged, Mistake, Unavailable
from strongroom.server.catalog.connection import bring_up_to_date, use_catalog
from strongroom.server.catalog.ledger import CatalogLedger

if TYPE_CHECKING:
    from collections.abc import Iterator

    from strongroom.server.config import DataFolder, ServerConfig

_ROOT_KEY_BYTES = 32


class Address(msgspec.Struct, frozen=True):
    """Where the running server listens: `server.json`, written at each start."""

    url: str


@dataclass(frozen=True)
class Premises:
    """The opened data folder.

    Args:
        fingerprint: SHA-256 of the authority's certificate; tokens carry it.
    """

    folder: DataFolder
    config: ServerConfig
    root_key: bytes = field(repr=False)
    fingerprint: bytes
    vault: Vault
    _keys: dict[str, bytes] = field(default_factory=dict, init=False, repr=False)

    @property
    def url(self) -> str:
        """How hosts and people reach this server.

        Raises:
            Unavailable: nobody has said, and the server has not been run yet.
        """
        if self.config.url:
            return self.config.url
        try:
            return msgspec.json.decode(self.folder.address.read_bytes(), type=Address).url
        except (OSError, msgspec.DecodeError) as error:
            raise Unavailable(
                "The server's own address is not known yet.",
                code="address_unknown",
                hint=f"Start the server once, or set url in {self.folder.settings}.",
            ) from error

    def key_for(self, purpose: str) -> bytes:
        """Return a key of the server's own, derived from the root key; one purpose, one key."""
        key = self._keys.get(purpose)
        if key is None:
            info = b"strongroom v1 server " + purpose.encode()
            key = self._keys[purpose] = HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(self.root_key)
        return key


class _Current:
    """What is open in this process."""

    premises: Premises | None = None


def open_premises(folder: DataFolder) -> Premises:
    """Open the data folder for this process and return it.

    Raises:
        Mistake: the folder was not made by `server init`, may not be read, or its settings are wrong.
        Conflict: another process has it open.
        Damaged: the root key, a certificate or the catalog is not what it must be.
    """
    with _troubles_named(folder):
        if folder.local_token.name not in (os.listdir(folder.path) if folder.path.exists() else ()):
            raise Mistake(
                f"{folder.path} is not a server's data folder.",
                code="not_initialised",
                hint=f"Make one with: strongroom server init --data {folder.path}",
            )
        config = folder.config()
        root_key = read_root_key(folder)
        use_catalog(folder.catalog, secret_key=folder.secret_key.read_text().strip(), host_names=_certified(folder))
        bring_up_to_date()
        opened = Premises(
            folder=folder,
            config=config,
            root_key=root_key,
            fingerprint=fingerprint_of(folder),
            vault=Vault.open(LocalStorage(folder.vault), root_key, CatalogLedger()),
        )
    _Current.premises = opened
    return opened


def premises() -> Premises:
    """Return what is open in this process.

    Raises:
        Unavailable: nothing is.
    """
    if _Current.premises is None:
        raise Unavailable("The server is not open.", code="not_open")
    return _Current.premises


def close_premises() -> None:
    """Close what is open; another process may open the folder then."""
    opened, _Current.premises = _Current.premises, None
    if opened is not None:
        opened.vault.close()


def read_root_key(folder: DataFolder) -> bytes:
    """Read the root key: 32 bytes as hex digits.

    Raises:
        Damaged: the file says something else.
        Mistake: the file cannot be read.
    """
    try:
        key = bytes.fromhex(folder.root_key.read_text().strip())
    except OSError as error:
        raise Mistake(
            f"The root key {folder.root_key} cannot be read: {error.strerror}.", code="no_root_key"
        ) from error
    except ValueError as error:
        raise Damaged(f"{folder.root_key} is not a root key.", code="bad_root_key") from error
    if len(key) != _ROOT_KEY_BYTES:
        raise Damaged(f"{folder.root_key} is not a root key.", code="bad_root_key")
    return key


def fingerprint_of(folder: DataFolder) -> bytes:
    """Return the SHA-256 of the authority's certificate in its DER form."""
    certificate = x509.load_pem_x509_certificate(folder.authority_certificate.read_bytes())
    return hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest()


@contextlib.contextmanager
def _troubles_named(folder: DataFolder) -> Iterator[None]:
    """Say what it means when a file of the folder cannot be used."""
    try:
        yield
    except OSError as error:
        where = error.filename or folder.path
        raise Mistake(f"{where} cannot be used: {error.strerror}.", code="no_access") from error
    except OperationalError as error:
        raise Unavailable(f"The catalog {folder.catalog} cannot be opened: {error}.", code="catalog_away") from error
    except (DatabaseError, ValueError) as error:
        raise Damaged(f"The data folder {folder.path} is damaged: {error}", code="bad_data_folder") from error


def _certified(folder: DataFolder) -> list[str]:
    """Return the names and addresses that the server's certificate is for: no other may be asked for."""
    certificate = x509.load_pem_x509_certificate(folder.server_certificate.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    addresses = [str(address) for address in names.get_values_for_type(x509.IPAddress)]
    return [*names.get_values_for_type(x509.DNSName), *addresses]
