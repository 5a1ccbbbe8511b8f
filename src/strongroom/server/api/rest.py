"""The REST API, put together from its nouns."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import msgspec
from django.http import HttpRequest
from ninja.parser import Parser

from strongroom.server.api import hosts, jobs, people, sets, snapshots, tokens, vault
from strongroom.server.api.auth import EITHER, Request
from strongroom.server.api.problems import CONTENT_TYPE, Problem, ProblemApi

PREFIX = "/api/v1"
DESCRIPTION = """\
Everything that the console and the command line do.

Send an API token as `Authorization: Bearer srt_...`; `POST /login` gives one. Lists come in pages: `next` is the
`cursor` of the page that follows. Errors are `application/problem+json` with a stable `code`. Calls that start a job
take an `Idempotency-Key`. Paths are escaped text: a backslash is written twice, any byte that cannot be shown as
`\\xNN`. Times are ISO 8601 in UTC, sizes are bytes.
"""


class StrictParser(Parser):
    """Reads bodies: JSON to the letter, so that no text gets in that cannot be stored and shown again."""

    def parse_body(self, request: HttpRequest) -> Any:  # noqa: ANN401 - JSON
        """Return the body's value."""
        return msgspec.json.decode(request.body)


api = ProblemApi(
    title="Strongroom",
    version=version("strongroom"),
    description=DESCRIPTION,
    urls_namespace="api",
    auth=EITHER,
    openapi_url=None,
    docs_url=None,
    parser=StrictParser(),
    openapi_extra={"info": {"license": {"name": "Apache-2.0", "identifier": "Apache-2.0"}}},
)
api.add_router("", people.router)
api.add_router("/tokens", tokens.router)
api.add_router("/hosts", hosts.router)
api.add_router("/sets", sets.router)
api.add_router("/jobs", jobs.router)
api.add_router("/snapshots", snapshots.router)
api.add_router("/vault", vault.router)


@api.get("/openapi.json", include_in_schema=False)
def describe(request: Request) -> Any:  # noqa: ANN401, ARG001 - JSON; the framework passes the request
    """Return the API's description, generated from the routes; what all have in common is added: how they fail."""
    described = api.get_openapi_schema(path_prefix=PREFIX)
    described["components"]["schemas"]["Problem"] = Problem.model_json_schema()
    shape = {"schema": {"$ref": "#/components/schemas/Problem"}}
    for methods in described["paths"].values():
        for operation in methods.values():
            operation["responses"]["default"] = {
                "description": "What went wrong, and what to do about it.",
                "content": {CONTENT_TYPE: shape},
            }
    return described
