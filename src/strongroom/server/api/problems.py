"""Failures as people's programs see them: `application/problem+json` (RFC 9457) with a stable code.

Promises: every answer of the API that is no success has this form, whatever failed and wherever: our own errors,
fields that are not right, unknown addresses, wrong methods, and faults nobody foresaw. The latter tell the caller
nothing but a number, under which the server's log has the rest.
"""

from __future__ import annotations

import functools
import logging
import secrets
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Annotated, Any, Final

from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.http.response import HttpResponseBase
from ninja import Field, NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError
from pydantic import BaseModel

from strongroom.errors import Mistake, StrongroomError, Unauthenticated, Unavailable

CONTENT_TYPE: Final = "application/problem+json"
RETRY_AFTER_S: Final = 30
_STATUS_OF_CODE: Final = {"too_many_tries": HTTPStatus.TOO_MANY_REQUESTS, "too_large": 413}
_WAIT: Final = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
_log = logging.getLogger(__name__)

View = Callable[..., HttpResponseBase]


class Problem(BaseModel):
    """Why a call did not succeed."""

    type: Annotated[str, Field(description="The code as an identifier.")]
    title: Annotated[str, Field(description="The status in words.")]
    status: int
    code: Annotated[str, Field(description="Stable, for programs.")]
    detail: Annotated[str, Field(description="One sentence for a person: what was wrong.")]
    hint: Annotated[str, Field(description="One sentence: what to do about it; may be empty.")]


class ProblemApi(NinjaAPI):
    """An API whose failures are problems."""

    def on_exception(self, request: HttpRequest, exc: Any) -> HttpResponse:  # noqa: ANN401 - the framework's signature
        """Answer what a route or the framework raised."""
        return answer_failure(request, exc)


def only_problems(view: View) -> View:
    """Return `view` with the failures that the framework answers by itself turned into problems."""

    @functools.wraps(view)
    def answer(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        try:
            reply = view(request, *args, **kwargs)
        except Exception as error:  # noqa: BLE001 - whatever it is, it ends here
            reply = answer_failure(request, error)
        reply.headers["Cache-Control"] = "no-store"
        if reply.status_code < HTTPStatus.BAD_REQUEST or reply.headers.get("Content-Type") == CONTENT_TYPE:
            return reply
        if reply.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            return _wrong_method(request, str(reply.headers["Allow"]))
        return render_problem(Mistake(reply.reason_phrase), status=reply.status_code)

    return answer


def unknown_address(request: HttpRequest, *_: object, **__: object) -> HttpResponse:
    """Answer a request for an address that the API does not have."""
    error = Mistake(f"The API has no {request.path}.", code="no_such_address", hint="What it has: /api/v1/openapi.json")
    return render_problem(error, status=HTTPStatus.NOT_FOUND)


def render_problem(
    error: StrongroomError, *, status: int = 0, headers: Mapping[str, str] | None = None
) -> HttpResponse:
    """Return the error as a problem document; `status` is the error family's own when it is 0."""
    status = status or _STATUS_OF_CODE.get(error.code, error.http_status)
    problem = Problem(
        type=f"urn:strongroom:problem:{error.code}",
        title=HTTPStatus(status).phrase,
        status=status,
        code=error.code,
        detail=error.text,
        hint=error.hint,
    )
    reply = HttpResponse(problem.model_dump_json(), status=status, content_type=CONTENT_TYPE, headers=headers)
    if status == HTTPStatus.UNAUTHORIZED:
        reply.headers["WWW-Authenticate"] = 'Bearer realm="strongroom"'
    if status in _WAIT:
        reply.headers["Retry-After"] = str(RETRY_AFTER_S)
    return reply


def answer_failure(request: HttpRequest, error: Exception) -> HttpResponse:
    """Answer with the problem that an exception stands for; those that are the server's fault are logged."""
    if not isinstance(error, StrongroomError):
        return render_problem(_translated(request, error))
    if error.http_status == HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.error("%s %s: %s (%s)", request.method, request.path, error.text, error.code)
    return render_problem(error)


def _translated(request: HttpRequest, error: Exception) -> StrongroomError:
    """Return the error of ours that a foreign exception stands for."""
    for kind, translate in _FOREIGN:
        if isinstance(error, kind):
            return translate(error)
    number = secrets.token_hex(4)
    _log.error("Fault %s at %s %s", number, request.method, request.path, exc_info=error)
    return StrongroomError(
        f"The server failed unexpectedly (fault {number}).", code="internal", hint="Its log tells more."
    )


def _nobody(_: AuthenticationError) -> StrongroomError:
    """Return the error for a caller who shows neither token nor session."""
    return Unauthenticated(
        "Nobody is logged in.",
        hint="Send an API token as `Authorization: Bearer srt_...`; `strongroom login URL` gets one.",
    )


def _bad_fields(error: ValidationError) -> StrongroomError:
    """Return the error for a request whose fields are not right; each is named."""
    first = str(error.errors[0]["type"])
    code = {"extra_forbidden": "unknown_field", "missing": "missing_field"}.get(first, "bad_field")
    return Mistake(
        " ".join(_sentence(one) for one in error.errors[:10]), code=code, hint="The fields: /api/v1/openapi.json"
    )


def _sentence(error: Mapping[str, Any]) -> str:
    """Say what is wrong with one field."""
    place, *way = error["loc"]
    if place == "body" and way:
        way = way[1:]  # the name of our own parameter says nothing to the caller
    if not way:
        return "The request needs a JSON object as its body."
    field = ".".join(str(part) for part in way)
    if error["type"] == "extra_forbidden":
        return f"There is no field {field}."
    if error["type"] == "missing":
        return f"The field {field} is missing."
    said = str(error["msg"])
    return f"The field {field} is not right: {said[:1].lower()}{said[1:]}."


def _bad_body(error: HttpError) -> StrongroomError:
    """Return the error for a body that is no JSON: the one thing that the framework refuses in its own words."""
    return Mistake(f"{error.message}.", code="bad_json", hint="The body must be one JSON object.")


def _too_large(_: RequestDataTooBig) -> StrongroomError:
    """Return the error for a body that is larger than any that makes sense."""
    return Mistake("The request is too large.", code="too_large")


def _unreadable(error: SuspiciousOperation | UnreadablePostError) -> StrongroomError:
    """Return the error for a request that is not what a client of ours sends, or was cut off."""
    return Mistake(f"The request cannot be read: {error}", code="bad_request")


def _catalog_away(error: OperationalError) -> StrongroomError:
    """Return the error for a catalog that is busy for too long, or whose disk is full."""
    _log.error("The catalog cannot be used: %s", error)
    return Unavailable(f"The catalog cannot be used now: {error}.", code="catalog_unavailable")


_FOREIGN: Final[tuple[tuple[type[Exception], Callable[[Any], StrongroomError]], ...]] = (
    (AuthenticationError, _nobody),
    (ValidationError, _bad_fields),
    (HttpError, _bad_body),
    (RequestDataTooBig, _too_large),
    (SuspiciousOperation, _unreadable),
    (UnreadablePostError, _unreadable),
    (OperationalError, _catalog_away),
)


def _wrong_method(request: HttpRequest, allowed: str) -> HttpResponse:
    """Answer a request with a method that its address does not know."""
    error = Mistake(f"{request.path} does not know {request.method}; it knows {allowed}.", code="wrong_method")
    return render_problem(error, status=HTTPStatus.METHOD_NOT_ALLOWED, headers={"Allow": allowed})
