"""What may be asked without a login: the authority's certificate, and whether the server lives and is ready."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import DatabaseError, connection
from django.http import HttpResponse, JsonResponse

from strongroom.errors import StrongroomError
from strongroom.server.premises import premises

if TYPE_CHECKING:
    from django.http import HttpRequest


def authority(request: HttpRequest) -> HttpResponse:  # noqa: ARG001 - Django passes it
    """Answer with the certificate of our authority; who holds a token compares its fingerprint."""
    pem = premises().folder.authority_certificate.read_bytes()
    return HttpResponse(pem, content_type="application/x-pem-file")


def alive(request: HttpRequest) -> HttpResponse:  # noqa: ARG001 - Django passes it
    """Answer that the process lives."""
    return JsonResponse({"status": "alive"})


def ready(request: HttpRequest) -> HttpResponse:  # noqa: ARG001 - Django passes it
    """Answer whether catalog and vault can be used."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        premises()
    except (DatabaseError, StrongroomError):
        return JsonResponse({"status": "not ready"}, status=503)
    return JsonResponse({"status": "ready"})
