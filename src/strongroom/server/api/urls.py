"""What `/api/v1/` leads to: the routes, and a problem document for every other address below it."""

from __future__ import annotations

from django.urls import URLPattern, re_path

from strongroom.server.api.problems import only_problems, unknown_address
from strongroom.server.api.rest import api

ROOT_PAGE = "api-root"  # the framework's own page at the root, which would say that there are no documents


def _routes() -> list[URLPattern]:
    """Return the API's routes, each answering in problem documents also what the framework refuses by itself."""
    routes = [route for route in api.urls[0] if isinstance(route, URLPattern) and route.name != ROOT_PAGE]
    for route in routes:
        route.callback = only_problems(route.callback)
    return routes


urlpatterns = [*_routes(), re_path("", unknown_address)]
