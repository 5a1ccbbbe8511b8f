"""Agents go to the gateway, everybody else to Django, whose bodies are bounded before it sees them."""

import asyncio

import pytest

from strongroom.server.app import doors as module
from strongroom.server.app.doors import PEOPLE_BYTES, doors


class Party:
    """One side's application: reads its body and notes what it got."""

    def __init__(self):
        self.bodies = []
        self.ends = []

    async def __call__(self, scope, receive, send):
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if message["type"] == "http.disconnect" or not message.get("more_body"):
                break
        self.bodies.append(body)
        self.ends.append(message["type"])


def visit(path, *pieces, headers=(), receive=None):
    agents, people, sent = Party(), Party(), []
    waiting = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    waiting.append({"type": "http.request", "body": b"", "more_body": False})

    async def receive_next():
        return waiting.pop(0)

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": path, "headers": list(headers)}
    asyncio.run(doors(agents=agents, people=people)(scope, receive or receive_next, send))
    return agents, people, sent


def test_agents_go_to_the_gateway():
    agents, people, _ = visit("/agent/v1/report", b"x")
    assert (agents.bodies, people.bodies) == ([b"x"], [])


@pytest.mark.parametrize("path", ["/", "/api/v1/hosts", "/agent", "/agent/v1", "/agent/v10/x", "/Agent/v1/report", ""])
def test_all_else_goes_to_people(path):
    agents, people, _ = visit(path, b"x")
    assert (agents.bodies, people.bodies) == ([], [b"x"])


def test_a_body_that_says_it_is_too_large_is_refused_unread():
    _, people, sent = visit("/api/v1/sets", headers=[(b"content-length", str(PEOPLE_BYTES + 1).encode())])
    assert people.bodies == []
    assert sent[0]["status"] == 413


def test_a_body_that_turns_out_too_large_ends_as_if_the_peer_hung_up():
    piece = bytes(1 << 20)
    _, people, _ = visit("/api/v1/sets", *[piece] * 100)
    assert people.ends == ["http.disconnect"]
    assert len(people.bodies[0]) <= PEOPLE_BYTES


def test_a_body_that_falls_silent_ends_as_if_the_peer_hung_up(monkeypatch):
    monkeypatch.setattr(module, "PEOPLE_SILENCE_S", 0.05)

    async def silent():
        await asyncio.Event().wait()

    _, people, _ = visit("/api/v1/sets", receive=silent)
    assert people.ends == ["http.disconnect"]


def test_what_is_not_http_is_left_unanswered():
    agents, people = Party(), Party()
    asyncio.run(doors(agents=agents, people=people)({"type": "websocket"}, None, None))
    assert (agents.bodies, people.bodies) == ([], [])
