"""An open server and a caller that speaks JSON to its API, through Django's own handling of requests."""

import json

import pytest
from django.test import Client

API = "/api/v1/"


class Caller:
    """Sends requests to the API; `token` is shown with each when there is one. `status` is what is expected."""

    def __init__(self, token="", **wishes):
        self.client = Client(**wishes)
        self.token = token

    def request(self, method, path, body=None, *, headers=None, status=200):
        shown = {"Host": "127.0.0.1", **({"Authorization": f"Bearer {self.token}"} if self.token else {})}
        data = body if isinstance(body, bytes | str) else json.dumps(body)
        reply = self.client.generic(
            method,
            API + path,
            data if body is not None else b"",
            "application/json",
            secure=True,
            headers={**shown, **(headers or {})},
        )
        assert reply.status_code == status, (method, path, reply.status_code, reply.content)
        return reply

    def get(self, path, **wishes):
        return self.request("GET", path, **wishes).json()

    def post(self, path, body=None, **wishes):
        reply = self.request("POST", path, body, **wishes)
        return reply.json() if reply.content else None

    def delete(self, path, status=204):
        return self.request("DELETE", path, status=status)

    def problem(self, method, path, body=None, *, status, code, headers=None):
        """Expect a problem document with this status and code, and return it."""
        reply = self.request(method, path, body, status=status, headers=headers)
        assert reply.headers["Content-Type"] == "application/problem+json"
        problem = reply.json()
        assert (problem["status"], problem["code"]) == (status, code), problem
        assert set(problem) == {"type", "title", "status", "code", "detail", "hint"}
        return problem

    def pages(self, path, limit):
        """Yield the pages of a list."""
        cursor = ""
        while cursor is not None:
            separator = "&" if "?" in path else "?"
            page = self.get(f"{path}{separator}limit={limit}" + (f"&cursor={cursor}" if cursor else ""))
            yield page["items"]
            cursor = page["next"]


@pytest.fixture
def api(server):
    """Call as the local administrator."""
    return Caller(server.folder.local_token.read_text().strip())


@pytest.fixture
def anyone(server):
    """Call as somebody who shows nothing."""
    return Caller()


@pytest.fixture
def caller():
    return Caller
