"""`server init`: everything a server needs, in one folder.

Promises: a folder that is a server's already is left alone. One where an earlier try was cut short is completed: what
is there stays, above all the root key. The local administrator's token is written last and marks a whole folder.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from django.db import transaction

from strongroom.engine.vault.storage.local import LocalStorage
from strongroom.engine.vault.vault import Vault
from strongroom.errors import Conflict, Mistake
from strongroom.protocol import tokens
from strongroom.server.catalog import models
from strongroom.server.catalog.connection import bring_up_to_date, use_catalog
from strongroom.server.catalog.ledger import CatalogLedger
from strongroom.server.premises import read_root_key
from strongroom.server.premises.opened import fingerprint_of
from strongroom.server.setup.authority import create_authority, renew_server_certificate
from strongroom.server.setup.files import PRIVATE, keep_or_write

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from strongroom.server.config import DataFolder

ADMINISTRATOR: Final = "admin"
_SHORTEST_PASSWORD: Final = 10
_MADE_PASSWORD_BYTES: Final = 15


@dataclass(frozen=True)
class Initialised:
    """What was made.

    Args:
        password: the administrator's, if it was made here: to be shown once.
    """

    folder: DataFolder
    administrator: str
    password: str | None = field(repr=False)


def init_server(
    folder: DataFolder, *, now: datetime, password: str | None = None, names: Sequence[str] = ()
) -> Initialised:
    """Make a server's data folder.

    Args:
        password: the administrator's; one is made when it is None.
        names: names and addresses that hosts and people will call the server by.

    Raises:
        Conflict: the folder is a server's already.
        Mistake: it cannot be written, has other things in it, or the password is too short.
    """
    if password is not None and len(password) < _SHORTEST_PASSWORD:
        raise Mistake(f"The password needs at least {_SHORTEST_PASSWORD} characters.", code="weak_password")
    made = None if password is not None else secrets.token_urlsafe(_MADE_PASSWORD_BYTES)
    try:
        _require_ours(folder)
        folder.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        keep_or_write(folder.root_key, secrets.token_hex(32).encode() + b"\n", mode=PRIVATE)
        keep_or_write(folder.secret_key, secrets.token_urlsafe(48).encode() + b"\n", mode=PRIVATE)
        create_authority(folder, now=now)
        renew_server_certificate(folder, names=[*folder.config().names, *names], now=now)
        _create_catalog(folder)
        _create_vault(folder)
        _create_administrator(folder, password or made or "", now)
    except OSError as error:
        raise Mistake(
            f"{error.filename or folder.path} cannot be written: {error.strerror}.", code="no_access"
        ) from error
    return Initialised(folder, ADMINISTRATOR, made)


def _require_ours(folder: DataFolder) -> None:
    """Refuse a folder that is complete already, or that something else lives in."""
    names = os.listdir(folder.path) if folder.path.exists() else []
    if folder.local_token.name in names:
        raise Conflict(f"{folder.path} is a server's data folder already.", code="already_initialised")
    if folder.root_key.name not in names:
        harmless = {folder.settings.name, "lost+found"}
        if any(name not in harmless and not name.startswith(f".{folder.root_key.name}.") for name in names):
            raise Mistake(
                f"{folder.path} is not empty.", code="not_empty", hint="Give a folder that does not exist or is empty."
            )


def _create_catalog(folder: DataFolder) -> None:
    """Create the database; it holds hashes of secrets, so it is the server's alone."""
    os.close(os.open(folder.catalog, os.O_RDWR | os.O_CREAT, PRIVATE))
    use_catalog(folder.catalog, secret_key=folder.secret_key.read_text().strip(), host_names=())
    bring_up_to_date()


def _create_vault(folder: DataFolder) -> None:
    """Create the vault, unless an earlier try did."""
    storage = LocalStorage(folder.vault)
    if not storage.exists("vault.json"):
        Vault.create(storage, read_root_key(folder), CatalogLedger()).close()


def _create_administrator(folder: DataFolder, password: str, now: datetime) -> None:
    """Create the administrator, and the token by which the local one needs no login."""
    secret = tokens.new_secret()
    with transaction.atomic():
        user, _ = models.User.objects.get_or_create(
            username=ADMINISTRATOR, defaults={"is_staff": True, "is_superuser": True, "date_joined": now}
        )
        user.set_password(password)
        user.save()
        models.ApiToken.objects.filter(user=user).delete()
        models.ApiToken.objects.create(
            user=user, name="local administrator", secret_hash=tokens.secret_hash(secret), created=now
        )
    text = tokens.render_api_token(tokens.ApiToken(fingerprint=fingerprint_of(folder), secret=secret))
    keep_or_write(folder.local_token, text.encode() + b"\n", mode=PRIVATE)
