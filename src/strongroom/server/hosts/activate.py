"""Registering hosts: activation tokens, and what an agent does with one.

Promises: a token is good for so many hosts and so long; only its hash is kept.
An agent whose first reply was lost asks again with the same key and is the same host; it costs the token nothing.
Host names are unique: a second `files` becomes `files-2`.
"""

from __future__ import annotations

import itertools
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import F

from strongroom.errors import Mistake, NotFound, Refused
from strongroom.protocol import tokens
from strongroom.protocol.messages import Activate, Activated
from strongroom.server.catalog import models
from strongroom.server.hosts.facts import one_line, take_facts
from strongroom.server.premises import premises
from strongroom.server.users.audit import Actor, record

if TYPE_CHECKING:
    from datetime import datetime

_PUBLIC_KEY_BYTES = 32
_MOST_USES = 100_000
_LONGEST = timedelta(days=3650)


def create_activation_token(*, uses: int | None, lifetime: timedelta, by: Actor, now: datetime, url: str = "") -> str:
    """Make a token that registers `uses` hosts and return its text, which is shown once and kept nowhere.

    Args:
        uses: any number of hosts when it is None.
        url: how hosts reach the server, when that is not the server's own idea of it.

    Raises:
        Mistake: the number of uses or the lifetime is out of range.
    """
    if uses is not None and not 1 <= uses <= _MOST_USES:
        raise Mistake(f"A token can have 1 to {_MOST_USES} uses, not {uses}.", code="bad_uses")
    if not timedelta(0) < lifetime <= _LONGEST:
        raise Mistake(f"A token can live up to {_LONGEST.days} days.", code="bad_lifetime")
    place = premises()
    token = tokens.ActivationToken(url=url or place.url, fingerprint=place.fingerprint, secret=tokens.new_secret())
    with transaction.atomic():
        row = models.ActivationToken.objects.create(
            secret_hash=tokens.secret_hash(token.secret),
            uses_left=uses,
            expires=now + lifetime,
            created=now,
            created_by=by.name,
        )
        record("activation_token.create", f"activation token {row.id}", by=by, now=now, uses=uses)
    return tokens.render_activation_token(token)


def delete_activation_token(token_id: int, *, by: Actor, now: datetime) -> None:
    """Delete a token; hosts that it registered go on.

    Raises:
        NotFound: there is no such token.
    """
    with transaction.atomic():
        deleted, _ = models.ActivationToken.objects.filter(id=token_id).delete()
        if not deleted:
            raise NotFound(
                f"There is no activation token {token_id}.",
                code="no_such_token",
                hint="List them with: strongroom token list",
            )
        record("activation_token.delete", f"activation token {token_id}", by=by, now=now)


def activate(*, message: Activate, now: datetime, address: str = "") -> Activated:
    """Register the host that this agent runs on.

    Raises:
        Refused: the token is unknown, used up or expired, or the host was revoked.
        Mistake: the key or the facts are not what they must be.
    """
    if len(message.public_key) != _PUBLIC_KEY_BYTES:
        raise Mistake("The agent's public key is not an Ed25519 key.", code="bad_key")
    with transaction.atomic():
        token = _require_token(message.secret, now)
        known = models.Host.objects.filter(public_key=message.public_key).first()
        if known is not None:
            return _same_again(known)
        if token.uses_left is not None:
            if token.uses_left < 1:
                raise Refused("The activation token is used up.", code="token_used_up", hint="Create a new one.")
            models.ActivationToken.objects.filter(id=token.id).update(uses_left=F("uses_left") - 1)
        host = models.Host(id=uuid.uuid4().hex, public_key=message.public_key, activated=now)
        take_facts(host, message.facts)
        host.name = _free_name(message.facts.name)
        host.save(force_insert=True)
        actor = Actor(f"host {host.name}", address)
        record("host.activate", f"host {host.name}", by=actor, now=now, id=host.id, token=token.id)
    return Activated(host_id=host.id, host_name=host.name)


def _require_token(secret: str, now: datetime) -> models.ActivationToken:
    """Return the token with this secret, if it is still good."""
    token = models.ActivationToken.objects.filter(secret_hash=tokens.secret_hash(secret)).first()
    if token is None:
        raise Refused("The activation token is not known here.", code="token_unknown", hint="Create a new one.")
    if token.expires <= now:
        raise Refused("The activation token has expired.", code="token_expired", hint="Create a new one.")
    return token


def _same_again(host: models.Host) -> Activated:
    """Answer an agent that asks a second time."""
    if host.revoked is not None:
        raise Refused(f"The access of host {host.name} was revoked.", code="host_revoked")
    return Activated(host_id=host.id, host_name=host.name)


def _free_name(wanted: str) -> str:
    """Return the name the host asked for, or with a number when it is taken."""
    name = one_line(wanted, 200).replace("/", "-").strip(" .") or "host"  # names stand in addresses
    for candidate in itertools.chain([name], (f"{name}-{number}" for number in itertools.count(2))):
        if not models.Host.objects.filter(name=candidate).exists():
            return candidate
    raise AssertionError("there are more numbers than hosts")
