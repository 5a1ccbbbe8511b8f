"""The people's paths. Agents' paths never come here (see `doors`)."""

from __future__ import annotations

from django.urls import include, path

from strongroom.server.app import plain

urlpatterns = [
    path("ca.pem", plain.authority),
    path("healthz", plain.alive),
    path("readyz", plain.ready),
    path("api/v1/", include("strongroom.server.api.urls")),
    path("", include("strongroom.server.console.urls")),
]
