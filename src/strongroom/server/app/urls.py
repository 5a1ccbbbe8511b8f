"""The people's paths. Agents' paths never come here (see `doors`)."""

from __future__ import annotations

from django.urls import include, path

from strongroom.server.app import plain

# What no page answers, or fails at, is answered by a page with a sentence.
handler400 = "strongroom.server.console.failures.bad_request"
handler404 = "strongroom.server.console.failures.not_found"
handler500 = "strongroom.server.console.failures.server_failed"

urlpatterns = [
    path("ca.pem", plain.authority),
    path("healthz", plain.alive),
    path("readyz", plain.ready),
    path("api/v1/", include("strongroom.server.api.urls")),
    path("", include("strongroom.server.console.urls")),
]
