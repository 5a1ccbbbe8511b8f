"""The people's paths. Agents' paths never come here (see `doors`)."""

from __future__ import annotations

from importlib.util import find_spec

from django.urls import URLPattern, URLResolver, include, path

from strongroom.server.app import plain

urlpatterns: list[URLPattern | URLResolver] = [
    path("ca.pem", plain.authority),
    path("healthz", plain.alive),
    path("readyz", plain.ready),
]
for _room, _prefix in (("api", "api/v1/"), ("console", "")):
    if find_spec(f"strongroom.server.{_room}") and find_spec(f"strongroom.server.{_room}.urls"):
        urlpatterns.append(path(_prefix, include(f"strongroom.server.{_room}.urls")))
