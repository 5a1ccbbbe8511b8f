"""Finding a host by what a person calls it."""

from __future__ import annotations

from django.db.models import Q

from strongroom.errors import NotFound
from strongroom.server.catalog import models


def require_host(reference: str) -> models.Host:
    """Return the host of this name or id.

    Raises:
        NotFound: there is none.
    """
    found = models.Host.objects.filter(Q(id=reference) | Q(name=reference)).order_by("id").first()
    if found is None:
        raise NotFound(
            f"There is no host {reference}.", code="no_such_host", hint="List them with: strongroom host list"
        )
    return found
