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
for _prefix, _module in (("api/v1/", "strongroom.server.api.urls"), ("", "strongroom.server.console.urls")):
    if find_spec(_module.rpartition(".")[0]):
        urlpatterns.append(path(_prefix, include(_module)))
