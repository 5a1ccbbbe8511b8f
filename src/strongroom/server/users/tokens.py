"""API tokens: a user's right to call the API without a password."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import transaction

from strongroom.errors import Mistake, NotFound, Unauthenticated
from strongroom.protocol import tokens
from strongroom.server.catalog import models
from strongroom.server.premises import premises
from strongroom.server.users.audit import Actor, record

if TYPE_CHECKING:
    from datetime import datetime

_USED_NOTED_EVERY = timedelta(minutes=5)


def create_api_token(
    *, user_name: str, token_name: str, by: Actor, now: datetime, lifetime: timedelta | None = None
) -> str:
    """Make a token for a user and return its text, which is shown once and kept nowhere.

    Raises:
        NotFound: there is no such user.
        Mistake: the lifetime is not positive.
    """
    if lifetime is not None and lifetime <= timedelta(0):
        raise Mistake("A token's lifetime must be longer than nothing.", code="bad_lifetime")
    secret = tokens.new_secret()
    with transaction.atomic():
        user = models.User.objects.filter(username=user_name, is_active=True).first()
        if user is None:
            raise NotFound(f"There is no user {user_name}.", code="no_such_user")
        models.ApiToken.objects.create(
            user=user,
            name=token_name[:100],
            secret_hash=tokens.secret_hash(secret),
            created=now,
            expires=None if lifetime is None else now + lifetime,
        )
        record("api_token.create", f"user {user_name}", by=by, now=now, name=token_name[:100])
    return tokens.render_api_token(tokens.ApiToken(fingerprint=premises().fingerprint, secret=secret))


def revoke_api_token(text: str, *, by: Actor, now: datetime) -> None:
    """Make a token stop working; one that is not known here changes nothing."""
    hashed = tokens.secret_hash(tokens.parse_api_token(text).secret)
    with transaction.atomic():
        found = models.ApiToken.objects.filter(secret_hash=hashed).first()
        if found is not None:
            record("api_token.revoke", f"user {by.name}", by=by, now=now, name=found.name)
            found.delete()


def require_token(text: str, *, address: str, now: datetime) -> Actor:
    """Return who an API token belongs to.

    Raises:
        Unauthenticated: the token is none of ours, has expired, or its user may not log in any more.
    """
    try:
        secret = tokens.parse_api_token(text).secret
    except Mistake as error:
        raise Unauthenticated(error.text, code="bad_token", hint=error.hint) from error
    found = models.ApiToken.objects.select_related("user").filter(secret_hash=tokens.secret_hash(secret)).first()
    if found is None or not found.user.is_active:
        raise Unauthenticated("The API token is not known here.", code="bad_token", hint="Log in: strongroom login URL")
    if found.expires is not None and found.expires <= now:
        raise Unauthenticated("The API token has expired.", code="token_expired", hint="Log in: strongroom login URL")
    if found.last_used is None or now - found.last_used > _USED_NOTED_EVERY:
        models.ApiToken.objects.filter(id=found.id).update(last_used=now)
    return Actor(found.user.username, address)
