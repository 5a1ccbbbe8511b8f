"""A hostile agent speaks the protocol itself: it gets at nothing that is not its own, and others are served as ever.

Real TLS, a real server with its catalog and vault; nothing of the agent's own code takes part.
After every attack an honest host must be served as before.
"""

import itertools
import logging
import os
import socket
import ssl
import threading
from datetime import timedelta

import msgspec
import pytest
import zstandard
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom import clock
from strongroom.engine.format.block import BlockKind, decode_block, open_block
from strongroom.engine.format.tree import decode_node, leaf_entries
from strongroom.model.job import JobState, Trigger
from strongroom.model.policy import Content, Options
from strongroom.model.report import JobReport
from strongroom.protocol import tokens
from strongroom.protocol.endpoints import Endpoint
from strongroom.protocol.frames import MAX_PARCEL_BYTES, encode_frames
from strongroom.protocol.messages import (
    BaseListing,
    CancelOrder,
    Checkpoint,
    Fetch,
    ListedFolder,
    MissingReply,
    OpenSession,
    PutReply,
    Report,
    ReportReply,
    RestoreOrder,
)
from strongroom.server import views
from strongroom.server.backup.abort import abort_jobs_of_host
from strongroom.server.backup.request import request_backup
from strongroom.server.backup.sets import create_set
from strongroom.server.gateway import exchange as exchanges
from strongroom.server.hosts.activate import create_activation_token
from strongroom.server.hosts.find import require_host
from strongroom.server.hosts.revoke import revoke_host
from strongroom.server.premises import seal
from strongroom.server.restore.request import RestoreWishes, request_restore
from tests.workflow.live_server import ADMIN, live_server
from tests.workflow.wire_agent import Wire, WireAgent

VERBS = [verb.value for verb in Endpoint]
SECRET_VERBS = [verb for verb in VERBS if verb not in ("/activate", "/authenticate")]
SECRET = b"what only the honest host has stored"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with live_server(tmp_path_factory.mktemp("hostile") / "data") as running:
        yield running


@pytest.fixture(scope="module")
def honest(server):
    agent = new_agent(server, "honest")
    yield agent
    agent.hang_up()


@pytest.fixture(scope="module")
def honest_session(honest):
    """A backup of the honest host, made by hand: its session is committed."""
    order = start_backup(honest, "honest-set")
    return honest.back_up(order.job_id, {b"secret": SECRET, b"other": b"and another"})


@pytest.fixture(scope="module")
def evil(server):
    agent = new_agent(server, "evil")
    yield agent
    agent.hang_up()


@pytest.fixture(autouse=True)
def others_are_served(honest, caplog):
    """Whatever a test does, an honest host is answered afterwards, and nothing took the server by surprise."""
    yield
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []
    assert honest.authenticate().status == 200
    assert honest.say("/report", Report()).said(ReportReply).go_on
    assert not honest.ended.is_set()


def new_token(**wishes):
    text = create_activation_token(**{"uses": 1, "lifetime": timedelta(hours=1), **wishes}, by=ADMIN, now=clock.now())
    return tokens.parse_activation_token(text).secret


def new_agent(server, name):
    """Register a host of this name, connected."""
    agent = WireAgent(server, name)
    assert agent.activate(new_token()).status == 200
    assert agent.authenticate().status == 200
    agent.listen()
    return agent


def start_backup(agent, set_name):
    """Request a backup of a new set of the agent's host; return the order that reaches the agent."""
    host = require_host(agent.host_id)
    content = Content((f"/{set_name}",))
    made = create_set(name=set_name, host=host, content=content, options=Options(), by=ADMIN, now=clock.now())
    return request(agent, made)


def request(agent, backup_set):
    job = request_backup(backup_set=backup_set, trigger=Trigger.NOW, by=ADMIN, now=clock.now())
    order = agent.next_order()
    assert order.job_id == job.id
    return order


@pytest.fixture
def session(evil, request):
    """An open session of the hostile host, for a set of its own."""
    order = start_backup(evil, request.node.name[:90])
    yield evil.open_session(order.job_id)
    end(evil, order.job_id)


def end(agent, job_id):
    """Close a job if it still runs: one host has few at once."""
    report = JobReport(JobState.FAILED, "step_failed", "transmit")
    agent.say("/report", Report(job_id, final=report))


# ---------------------------------------------------------------------------------------------------------------------
# Who it is


@pytest.mark.parametrize("verb", SECRET_VERBS)
def test_no_verb_works_without_activation(server, verb):
    stranger = Wire(server)
    assert stranger.ask(verb).refusal == (401, "no_access_token")
    assert stranger.ask(verb, token="x").refusal == (401, "bad_signature")
    assert stranger.ask(verb, token="eA.eA").refusal == (401, "bad_signature")
    assert stranger.ask(verb, token="\xff\xfe").refusal == (401, "bad_signature")


def test_an_activation_token_registers_as_many_hosts_as_it_says_and_no_longer_than_it_says(server):
    secret = new_token(uses=1)
    assert WireAgent(server, "first").activate(secret).status == 200
    assert WireAgent(server, "second").activate(secret).refusal == (403, "token_used_up")
    assert WireAgent(server, "third").activate("guessed").refusal == (403, "token_unknown")
    brief = new_token(lifetime=timedelta(microseconds=1))
    assert WireAgent(server, "fourth").activate(brief).refusal == (403, "token_expired")


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"key": Ed25519PrivateKey.generate()}, "bad_assertion"),
        ({"host_id": "0" * 32}, "host_unknown"),
        ({"issued_at_s": 0}, "clock_differs"),
        ({"issued_at_s": 2**62}, "clock_differs"),
        ({"issued_at_s": -(2**62)}, "clock_differs"),
        ({"nonce": b"short"}, "bad_assertion"),
        ({"nonce": bytes(1000)}, "bad_assertion"),
    ],
)
def test_an_assertion_that_does_not_hold_gets_no_token(evil, wrong, code):
    assert evil.ask("/authenticate", evil.assertion(**wrong)).refusal == (401, code)


def test_an_assertion_works_once(evil):
    assertion = evil.assertion()
    assert evil.ask("/authenticate", assertion).status == 200
    assert evil.ask("/authenticate", assertion).refusal == (401, "assertion_used")


def test_an_access_token_cannot_be_altered_forged_or_used_when_it_has_expired(evil, honest):
    statement, signature = evil.token.split(".")
    mine = msgspec.msgpack.decode(seal._bytes(statement))
    theirs = seal._text(msgspec.msgpack.encode([honest.host_id, mine[1]]))
    assert evil.ask("/report", Report(), f"{theirs}.{signature}").refusal == (401, "bad_signature")
    assert evil.ask("/report", Report(), f"{statement}.").refusal == (401, "bad_signature")
    other_purpose = seal.sign("restore grant", msgspec.msgpack.encode([honest.host_id, mine[1]]))
    assert evil.ask("/report", Report(), other_purpose).refusal == (401, "bad_signature")
    expired = seal.sign("access token", msgspec.msgpack.encode([evil.host_id, int(clock.now().timestamp()) - 1]))
    assert evil.ask("/report", Report(), expired).refusal == (401, "token_expired")


def test_a_revoked_host_is_shut_out_at_once(server):
    agent = new_agent(server, "revoked")
    order = start_backup(agent, "revoked-set")
    session = agent.open_session(order.job_id)
    host = require_host(agent.host_id)
    revoke_host(host=host, by=ADMIN, now=clock.now(), abort_jobs=abort_jobs_of_host)
    assert agent.ended.wait(10)
    for verb in SECRET_VERBS:
        assert agent.say(verb).refusal == (403, "host_revoked")
    assert agent.put(session, agent.block(b"late")).refusal == (403, "host_revoked")
    assert agent.authenticate().refusal == (403, "host_revoked")
    assert agent.activate(new_token()).refusal == (403, "host_revoked")
    assert views.job(order.job_id)["state"] == "aborted"


# ---------------------------------------------------------------------------------------------------------------------
# What it may store, and refer to


def test_a_chunk_under_a_false_id_refuses_the_whole_parcel(evil, session):
    good, bad = evil.block(b"good"), evil.block(b"bad", ids=(evil.id_of(b"victim"),))
    assert evil.put(session, good, bad).refusal == (400, "false_id")
    assert evil.missing(session, evil.id_of(b"good"), evil.id_of(b"victim")).said(MissingReply).flags == b"\1\1"


def test_a_chunk_of_another_host_is_neither_told_of_nor_to_be_had(evil, session, honest_session):
    theirs = evil.id_of(SECRET)
    assert evil.missing(session, theirs).said(MissingReply).flags == b"\1"
    node = evil.folder({b"stolen": theirs})
    assert evil.put(session, evil.block(node, kind=BlockKind.TREE)).status == 200
    assert evil.commit(session, evil.id_of(node)).refusal == (409, "incomplete_tree")


def test_putting_what_another_host_has_looks_just_like_putting_what_nobody_has(evil, session, honest_session):
    known = evil.put(session, evil.block(SECRET)).said(PutReply)
    unknown = evil.put(session, evil.block(os.urandom(len(SECRET)))).said(PutReply)
    assert known == unknown


def test_a_root_that_was_never_put_makes_no_snapshot(evil, session):
    assert evil.commit(session, bytes(32)).refusal == (409, "incomplete_tree")
    assert evil.commit(session, b"short").refusal == (400, "bad_commit")


def test_data_cannot_pose_as_a_tree(evil, session):
    assert evil.put(session, evil.block(b"no node", kind=BlockKind.TREE)).status in (200, 400)
    assert evil.commit(session, evil.id_of(b"no node")).status in (400, 409)


def test_a_report_alone_makes_no_success(evil, session):
    order = start_backup(evil, "no-success")
    report = JobReport(JobState.SUCCESSFUL, "completed", "report")
    assert evil.say("/report", Report(order.job_id, final=report)).refusal == (400, "bad_report")
    end(evil, order.job_id)


def test_the_session_and_job_of_another_host_are_not_there(evil, honest):
    order = start_backup(honest, "untouchable")
    theirs = honest.open_session(order.job_id)
    evil.keys = honest.keys
    assert evil.say("/session/open", OpenSession(order.job_id)).status in (404, 409)
    for answer in (
        evil.missing(theirs, bytes(32)),
        evil.put(theirs, evil.block(b"x")),
        evil.say("/session/checkpoint", Checkpoint(theirs)),
        evil.say("/session/base-listing", BaseListing(theirs)),
        evil.commit(theirs, bytes(32)),
    ):
        assert answer.refusal == (404, "no_such_session")
    assert evil.say("/report", Report(order.job_id)).refusal == (404, "no_such_job")
    assert views.job(order.job_id)["state"] == "running"
    end(honest, order.job_id)


def test_a_session_that_has_ended_takes_nothing_more(evil):
    order = start_backup(evil, "over")
    session = evil.open_session(order.job_id)
    end(evil, order.job_id)
    assert evil.put(session, evil.block(b"x")).refusal == (409, "session_ended")
    assert evil.commit(session, bytes(32)).refusal == (409, "session_ended")


# ---------------------------------------------------------------------------------------------------------------------
# What it may read


@pytest.fixture(scope="module")
def granted(honest, honest_session):
    """The order of a running restore of one of the honest host's two files."""
    set_id = views.backup_set("honest-set")["id"]
    snapshot = views.snapshots(set_id=set_id)[0]["id"]
    request_restore(wishes=RestoreWishes(snapshot, ("/secret",), "/tmp/x"), by=ADMIN, now=clock.now())
    order = honest.next_order()
    assert isinstance(order, RestoreOrder)
    return order


def test_the_granted_host_reads_what_the_grant_covers_and_no_more(honest, granted):
    folders = [msgspec.msgpack.decode(f, type=ListedFolder) for f in honest.say("/fetch", Fetch(granted.grant)).frames]
    names = [entry.name for folder in folders for entry in leaf_entries(decode_node(folder.node))]
    assert names == [b"secret"]
    for link_mb_s, room in itertools.product((-1, 0, 10**9), (-1, 0, 2**62)):
        blocks = honest.say("/fetch", Fetch(granted.grant, honest.id_of(SECRET), link_mb_s, room)).frames
        assert [bytes(open_block(decode_block(block))) for block in blocks] == [SECRET]
    outside = honest.id_of(b"and another")
    assert honest.say("/fetch", Fetch(granted.grant, outside)).refusal == (403, "not_granted")
    assert honest.say("/fetch", Fetch(granted.grant, honest.id_of(SECRET) + outside)).refusal == (403, "not_granted")
    assert honest.say("/fetch", Fetch(granted.grant, bytes(32))).refusal == (403, "not_granted")


def test_nothing_is_read_without_a_grant_or_with_that_of_another_host(evil, honest, granted):
    wanted = honest.id_of(SECRET)
    statement, _, signature = granted.grant.partition(".")
    said = msgspec.msgpack.decode(seal._bytes(statement))
    to_me = seal._text(msgspec.msgpack.encode([said[0], said[1], evil.host_id, *said[3:]]))
    for grant in ("", ".", "x.y", granted.grant, granted.grant[:-2], f"{to_me}.{signature}", f"{statement}.", "\0"):
        for ids in (b"", wanted):
            assert evil.say("/fetch", Fetch(grant, ids)).refusal == (403, "not_granted"), grant


def test_a_grant_ends_with_its_hour_and_with_its_job(honest, granted):
    said = msgspec.msgpack.decode(seal._bytes(granted.grant.partition(".")[0]))
    past = int(clock.now().timestamp()) - 1
    expired = seal.sign("restore grant", msgspec.msgpack.encode([*said[:4], past]))
    assert honest.say("/fetch", Fetch(expired)).refusal == (403, "grant_expired")
    end(honest, granted.job_id)
    assert honest.say("/fetch", Fetch(granted.grant)).refusal == (403, "not_granted")


def test_ids_that_are_no_ids_are_refused(honest, granted):
    assert honest.say("/fetch", Fetch(granted.grant, b"odd")).status in (400, 403)


# ---------------------------------------------------------------------------------------------------------------------
# Malformed requests


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb != "/session/put"])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xc1",
        b"\x80",
        b"\x81\xa5other\x01",
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\x91" * 10_000,
        b"\x81\xa6job_id" + b"\x91" * 5_000,
        os.urandom(5000),
    ],
    ids=[
        "empty",
        "reserved",
        "no fields",
        "other",
        "huge array",
        "huge map",
        "huge bytes",
        "deep",
        "deep field",
        "noise",
    ],
)
def test_a_body_that_is_no_message_is_a_mistake(evil, verb, body):
    answer = evil.say(verb, body)
    if (verb, body) == ("/report", b"\x80"):
        assert answer.status == 200  # all its fields have defaults
    else:
        assert answer.refusal == (400, "bad_message")


BLOCK_HEADER = b"SRBLOCK\n\x01\x01\x00\x00" + (1).to_bytes(4, "little") + (1).to_bytes(4, "little")


def bomb(promised):
    """Return a block whose payload would become far more than it says."""
    payload = zstandard.ZstdCompressor(write_content_size=promised is not None).compress(bytes(100 << 20))
    head = b"SRBLOCK\n\x01\x01\x01\x00" + (1).to_bytes(4, "little") + len(payload).to_bytes(4, "little")
    return head + bytes(32) + (promised or 4 << 20).to_bytes(4, "little") + payload


@pytest.mark.parametrize(
    "block",
    [
        b"",
        b"x",
        BLOCK_HEADER,
        b"SRBLOCK\n\x02" + BLOCK_HEADER[9:] + bytes(37),
        b"SRBLOCK\n\x01\x07" + BLOCK_HEADER[10:] + bytes(37),
        b"SRBLOCK\n\x01\x01\x09" + BLOCK_HEADER[11:] + bytes(37),
        BLOCK_HEADER[:12] + b"\xff\xff\xff\xff" + BLOCK_HEADER[16:] + bytes(37),
        BLOCK_HEADER[:16] + b"\xff\xff\xff\xff" + bytes(37),
        BLOCK_HEADER + bytes(32) + b"\xff\xff\xff\xff" + b"x",
        BLOCK_HEADER + bytes(32) + bytes(4) + b"x",
        bomb(100),
        bomb(100 << 20),
        bomb(None),
        os.urandom(100_000),
    ],
    ids=[
        "empty",
        "short",
        "header",
        "version",
        "kind",
        "method",
        "count",
        "payload-size",
        "chunk-size",
        "no-size",
        "bomb",
        "large-bomb",
        "blind-bomb",
        "noise",
    ],
)
def test_a_block_that_is_none_is_a_mistake(evil, session, block):
    assert evil.put(session, block).refusal == (400, "bad_block")


@pytest.mark.parametrize(
    "parcel",
    [
        b"",
        b"\0\0",
        b"\xff\xff\xff\xff",
        b"\0\0\0\xff" + bytes(10),
        encode_frames([b"\xff\xfe"]),
        encode_frames([b"no session"]),
        encode_frames([b""]),
        encode_frames([b"x" * 100_000]),
        os.urandom(100_000),
    ],
    ids=[
        "empty",
        "cut-length",
        "huge-frame",
        "cut-frame",
        "not-ascii",
        "no-session",
        "empty-name",
        "long-name",
        "noise",
    ],
)
def test_a_parcel_that_is_none_is_a_mistake(evil, parcel):
    assert evil.say("/session/put", parcel).status in (400, 404)


def test_a_frame_that_is_cut_short_leaves_nothing_of_its_parcel(evil, session):
    whole = encode_frames([session.encode(), evil.block(b"first"), evil.block(b"second")])
    assert evil.say("/session/put", whole[:-1]).refusal == (400, "bad_frame")
    assert evil.missing(session, evil.id_of(b"first")).said(MissingReply).flags == b"\1"


@pytest.mark.parametrize("ids", [b"x", bytes(33), bytes(32 * 65_537)], ids=["short", "odd", "too many"])
def test_ids_to_ask_for_are_whole_and_not_too_many(evil, session, ids):
    assert evil.missing(session, ids).status == 400


def test_another_version_of_the_protocol_is_refused_politely(evil):
    for version in ("0", "2", "", "one", "1.0"):
        answer = evil.ask("/report", Report(), evil.token, version=version)
        assert answer.refusal == (403, "protocol_version")
        assert "release" in answer.problem.hint


@pytest.mark.parametrize("path", ["/", "/delete", "/Report", "/report/", "/session/../report", "/%2e%2e/x", "/a" * 999])
def test_there_is_no_twelfth_verb(evil, path):
    assert evil.ask(path, Report(), evil.token).refusal == (404, "no_such_verb")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_a_verb_is_asked_for_by_post_alone(evil, method):
    assert evil.ask("/report", Report(), evil.token, method=method).refusal == (405, "wrong_method")


def test_an_agents_token_opens_nothing_that_is_peoples(evil):
    headers = {"Authorization": f"Bearer {evil.token}"}
    for path in ("/api/v1/hosts", "/api/v1/jobs", "/api/v1/snapshots", "/hosts", "/jobs"):
        answer = evil.pool.request("GET", path, headers=headers, retries=False, redirect=False)
        assert answer.status in (302, 401, 403, 404)


# ---------------------------------------------------------------------------------------------------------------------
# Floods, drips and garbage


def open_tls(server):
    context = ssl.create_default_context(cafile=str(server.folder.authority_certificate))
    raw = socket.create_connection(("127.0.0.1", server.port), timeout=20)
    return context.wrap_socket(raw, server_hostname="127.0.0.1")


def request_head(verb, token="", **headers):
    lines = [f"POST /agent/v1{verb} HTTP/1.1", "Host: 127.0.0.1", "Strongroom-Protocol: 1"]
    lines += [f"Authorization: Bearer {token}"] if token else []
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


def status_of(connection):
    """Read the status line of the answer; 0 when the server hung up instead."""
    try:
        return int(connection.recv(100).split(b" ", 2)[1])
    except (ConnectionError, ssl.SSLError, IndexError):
        return 0


@pytest.mark.parametrize(("verb", "limit"), [("/session/put", MAX_PARCEL_BYTES), ("/report", 8 << 20)])
def test_a_body_that_says_it_is_too_large_is_not_read(server, evil, verb, limit):
    with open_tls(server) as connection:
        connection.sendall(request_head(verb, evil.token, Content_Length=limit + 1))
        assert status_of(connection) == 413


@pytest.mark.parametrize("length", ["99999999999999999999999", "-1", "1e3", "0x10", "\u00b2"])
def test_a_length_that_is_none_ends_the_request(server, evil, length):
    with open_tls(server) as connection:
        head = request_head("/report", evil.token).decode()[:-2] + f"Content-Length: {length}\r\n\r\n"
        connection.sendall(head.encode("latin-1"))
        assert status_of(connection) in (0, 400, 413)


@pytest.mark.parametrize("verb", ["/session/put", "/report", "/activate", "/authenticate", "/orders"])
def test_an_endless_body_is_cut_off(server, evil, verb):
    piece = b"%x\r\n%s\r\n" % (1 << 20, bytes(1 << 20))
    with open_tls(server) as connection:
        connection.sendall(request_head(verb, evil.token, Transfer_Encoding="chunked"))
        sent = 0
        try:
            while sent < 200:
                connection.sendall(piece)
                sent += 1
        except (ConnectionError, ssl.SSLError, TimeoutError):
            pass
        assert sent < 200


def test_an_endless_body_to_peoples_doors_is_cut_off(server):
    piece = b"%x\r\n%s\r\n" % (1 << 20, bytes(1 << 20))
    with open_tls(server) as connection:
        connection.sendall(b"POST /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        sent = 0
        try:
            while sent < 200:
                connection.sendall(piece)
                sent += 1
        except (ConnectionError, ssl.SSLError, TimeoutError):
            pass
        assert sent < 200
    with open_tls(server) as connection:
        connection.sendall(b"POST /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99999999\r\n\r\n")
        assert status_of(connection) == 413


@pytest.mark.parametrize("verb", ["/session/put", "/report", "/authenticate"])
def test_a_body_that_stops_coming_is_given_up(server, evil, verb, monkeypatch):
    monkeypatch.setattr(exchanges, "SILENCE_S", 0.3)
    with open_tls(server) as connection:
        connection.sendall(request_head(verb, evil.token, Content_Length=1000) + b"\x80")
        assert status_of(connection) == 408


def test_slow_parcels_of_one_host_do_not_keep_others_waiting(server, evil, honest):
    connections = [open_tls(server) for _ in range(40)]
    try:
        for connection in connections:
            head = request_head("/session/put", evil.token, Content_Length=MAX_PARCEL_BYTES)
            connection.sendall(head + b"\0\0\0\x20")
        order = start_backup(honest, "while-others-drip")
        honest.back_up(order.job_id, {b"a": os.urandom(500_000), b"b": os.urandom(500_000)})
        assert views.job(order.job_id)["state"] == "successful"
    finally:
        for connection in connections:
            connection.close()


@pytest.mark.parametrize(
    "garbage",
    [
        os.urandom(2000),
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\xff\xff" + os.urandom(200),
        b"SSH-2.0-x\r\n",
    ],
    ids=["noise", "plain http", "broken hello", "ssh"],
)
def test_what_is_not_tls_gets_nothing(server, garbage):
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(garbage)
        connection.shutdown(socket.SHUT_WR)
        try:
            answer = connection.recv(1000)
        except ConnectionError:
            answer = b""
        assert not answer.startswith(b"HTTP")


@pytest.mark.parametrize(
    "garbage",
    [
        os.urandom(2000) + b"\r\n\r\n",
        b"POST /agent/v1/report HTTP/9.9\r\n\r\n",
        b"POST /agent/v1/report HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 10_000 + b"\r\n",
        b"POST /agent/v1/report HTTP/1.1\r\nHost: x\r\nA: " + b"b" * 2_000_000 + b"\r\n\r\n",
        b"POST /" + b"a" * 2_000_000 + b" HTTP/1.1\r\n\r\n",
        b"POST /agent/v1/report HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /agent/v1/report HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /agent/v1/\xff\xfe%ff%00 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
    ],
    ids=["noise", "version", "headers", "long header", "long path", "bad chunk", "two lengths", "bad path"],
)
def test_what_is_not_http_is_refused(server, garbage):
    with open_tls(server) as connection:
        try:
            connection.sendall(garbage)
        except (ConnectionError, ssl.SSLError):
            return
        assert status_of(connection) not in range(200, 300)


def test_a_thousand_connections_that_say_nothing_keep_nobody_out(server, evil):
    idle = [socket.create_connection(("127.0.0.1", server.port), timeout=20) for _ in range(1000)]
    try:
        assert evil.say("/report", Report()).status == 200
    finally:
        for connection in idle:
            connection.close()


def test_hanging_up_in_the_middle_of_everything_leaves_nothing_behind(server, evil):
    before = threading.active_count()
    for verb in SECRET_VERBS:
        for _ in range(5):
            connection = open_tls(server)
            connection.sendall(request_head(verb, evil.token, Content_Length=1000) + b"x" * 500)
            connection.close()
    assert evil.say("/report", Report()).status == 200
    assert threading.active_count() <= before + 2


# ---------------------------------------------------------------------------------------------------------------------
# Orders


def test_a_newer_stream_of_a_host_replaces_the_older(server):
    agent = new_agent(server, "twice")
    older, agent.ended = agent.ended, threading.Event()
    agent.listen()
    assert older.wait(10)
    assert start_backup(agent, "twice-set").job_id
    assert views.host("twice")["connected"]
    agent.hang_up()


def test_a_host_that_hangs_up_is_away_at_once(server):
    agent = new_agent(server, "leaves")
    assert views.host("leaves")["connected"]
    agent.hang_up()
    for _ in range(100):
        if not views.host("leaves")["connected"]:
            break
        clock.wait_s(0.02)
    assert not views.host("leaves")["connected"]


def test_a_host_cannot_cancel_or_order_anything(evil):
    assert evil.ask("/orders", CancelOrder(1), evil.token).refusal == (400, "bad_message")


def test_why_a_parcel_was_refused_is_seen_although_its_body_was_not_wanted(evil):
    assert evil.ask("/session/put", bytes(8 << 20), "wrong").refusal == (401, "bad_signature")
