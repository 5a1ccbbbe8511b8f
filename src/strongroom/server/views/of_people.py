"""People, the tokens they made, and the record of what they did."""

from __future__ import annotations

from strongroom.errors import NotFound
from strongroom.protocol import tokens
from strongroom.server.catalog import models
from strongroom.server.times import iso
from strongroom.server.views.shape import View, page_size


def activation_tokens(*, limit: int = 100, before: int = 0) -> list[View]:
    """Return the activation tokens, newest first, without their secrets."""
    rows = models.ActivationToken.objects.order_by("-id")
    return [_activation_token(row) for row in (rows.filter(id__lt=before) if before else rows)[: page_size(limit)]]


def activation_token(text: str) -> View:
    """Return the activation token whose text this is.

    Raises:
        Mistake: it is no token.
        NotFound: it is none of ours.
    """
    hashed = tokens.secret_hash(tokens.parse_activation_token(text).secret)
    row = models.ActivationToken.objects.filter(secret_hash=hashed).first()
    if row is None:
        raise NotFound("The activation token is not known here.", code="no_such_token")
    return _activation_token(row)


def user(name: str) -> View:
    """Return a person who may log in.

    Raises:
        NotFound: there is none of this name.
    """
    row = models.User.objects.filter(username=name, is_active=True).first()
    if row is None:
        raise NotFound(f"There is no user {name}.", code="no_such_user")
    return {"name": row.username, "is_admin": row.is_superuser}


def audit(*, limit: int = 100, before: int = 0) -> list[View]:
    """Return the audit trail, newest first."""
    rows = models.AuditRecord.objects.order_by("-id")
    return [
        {
            "id": row.id,
            "time": iso(row.time),
            "who": row.who,
            "address": row.address,
            "action": row.action,
            "what": row.what,
            "details": row.details,
        }
        for row in (rows.filter(id__lt=before) if before else rows)[: page_size(limit)]
    ]


def _activation_token(row: models.ActivationToken) -> View:
    """Return an activation token as plain data."""
    return {
        "id": row.id,
        "uses_left": row.uses_left,
        "expires": iso(row.expires),
        "created": iso(row.created),
        "created_by": row.created_by,
    }
