"""The link trusts one server, proves who it is, tries again when that helps, and never believes half an answer."""

import msgspec
import pytest

from strongroom.agent.identity import facts_of
from strongroom.agent.link import link as link_module
from strongroom.agent.link.link import Link
from strongroom.agent.link.patience import Patience, wait_before
from strongroom.agent.link.wire_sink import WireSink
from strongroom.agent.link.wire_source import WireSource
from strongroom.agent.platform.current import current_platform
from strongroom.engine.format.block import Block, BlockKind, Method, encode_block
from strongroom.engine.format.ids import chunk_id, unpack_ids
from strongroom.errors import Conflict, Damaged, Mistake, Refused, StrongroomError, Unauthenticated, Unavailable
from strongroom.model.job import JobState, ReasonCode
from strongroom.model.report import JobReport, Transfer
from strongroom.protocol.endpoints import Endpoint
from strongroom.protocol.frames import decode_frames, encode_frames
from strongroom.protocol.messages import (
    Commit,
    Committed,
    Fetch,
    Hello,
    ListedFolder,
    Missing,
    MissingReply,
    PutReply,
    Report,
    SessionOpened,
)
from tests.unit.agent.tls_server import BUSY, CUT, DROP, SILENT, made_authority, tls_server

OPENED = SessionOpened("s", b"i" * 32, b"c" * 32, 300, knows_nothing=False)
ENDED = JobReport(JobState.SUCCESSFUL, ReasonCode.COMPLETED, "report", transfer=Transfer())


@pytest.fixture
def patience():
    return Patience(300, pause=lambda _: None)


@pytest.fixture
def sink(server, patience):
    return WireSink(Link(server.identity()), OPENED, patience, before_commit=lambda: None)


def test_a_server_of_another_authority_is_not_spoken_to(server):
    stranger, _, _ = made_authority()
    with pytest.raises(Unavailable) as caught:
        Link(server.identity(authority=stranger)).report(Report())
    assert caught.value.code == "server_not_trusted"
    assert server.asked == []


def test_a_certificate_for_another_address_is_not_accepted(tmp_path):
    with tls_server(tmp_path, names=["127.0.0.2"]) as server:
        with pytest.raises(Unavailable) as caught:
            Link(server.identity()).report(Report())
        assert caught.value.code == "server_not_trusted"
        assert server.asked == []


def test_an_authority_that_is_none_is_a_mistake(server):
    with pytest.raises(Mistake):
        Link(server.identity(authority="not a certificate"))


def test_one_token_serves_many_requests(server):
    link = Link(server.identity())
    for _ in range(3):
        link.report(Report())
    assert server.asked.count(Endpoint.AUTHENTICATE) == 1


def test_a_token_is_renewed_before_it_runs_out(server):
    server.lifetime_s = 0
    link = Link(server.identity())
    link.report(Report())
    link.report(Report())
    assert server.tokens == 2


def test_a_token_that_is_refused_is_renewed_once(server):
    link = Link(server.identity())
    link.report(Report())
    server.accepted = "another"
    link.report(Report())
    assert server.tokens == 2
    server.answers[Endpoint.AUTHENTICATE] = lambda _: type(server)._authenticate(server, _) and refuse()
    server.accepted = "yet another"
    with pytest.raises(Unauthenticated):
        link.report(Report())


def refuse():
    raise Unauthenticated("No.", code="host_unknown")


@pytest.mark.parametrize(
    ("status", "family", "retryable"),
    [
        (400, Mistake, False),
        (403, Refused, False),
        (409, Conflict, False),
        (413, Mistake, False),
        (429, Unavailable, True),
        (500, Damaged, False),
        (502, Unavailable, True),
        (504, Unavailable, True),
    ],
)
def test_a_problem_becomes_an_error_of_its_family(server, status, family, retryable):
    def answer(_):
        error = StrongroomError("So it is.", code="so_it_is")
        error.http_status = status
        raise error

    server.answers[Endpoint.REPORT] = answer
    with pytest.raises(family) as caught:
        Link(server.identity()).report(Report())
    assert (caught.value.code, caught.value.text, caught.value.retryable) == ("so_it_is", "So it is.", retryable)


def test_nobody_listening_is_unavailable(server):
    identity = server.identity()
    server.stop()
    with pytest.raises(Unavailable):
        Link(identity).report(Report())
    server.start()


@pytest.mark.parametrize("trouble", [DROP, CUT, BUSY])
def test_missing_is_asked_until_it_is_answered(server, sink, patience, trouble):
    server.answers[Endpoint.MISSING] = lambda body: MissingReply(
        bytes(one[0] & 1 for one in unpack_ids(msgspec.msgpack.decode(body, type=Missing).ids))
    )
    server.trouble[Endpoint.MISSING] += [trouble] * 3
    assert sink.missing([b"\0" * 32, b"\1" * 32]) == [False, True]
    assert patience.retries == 3


def test_more_ids_than_one_call_takes_are_asked_in_several(server, sink):
    sizes = []

    def answer(body):
        count = len(msgspec.msgpack.decode(body, type=Missing).ids) // 32
        sizes.append(count)
        return MissingReply(b"\1" * count)

    server.answers[Endpoint.MISSING] = answer
    assert len(sink.missing([b"\0" * 32] * 65_537)) == 65_537
    assert sizes == [65_536, 1]


def test_an_answer_for_another_number_of_chunks_is_not_believed(server, sink):
    server.answers[Endpoint.MISSING] = lambda _: MissingReply(b"\1")
    with pytest.raises(Damaged):
        sink.missing([b"\0" * 32] * 2)


@pytest.mark.parametrize("trouble", [DROP, CUT, BUSY])
def test_a_parcel_arrives_whole_and_is_sent_again(server, sink, trouble):
    came = []

    def answer(body):
        came.append([bytes(frame) for frame in decode_frames(body)])
        return PutReply(7)

    server.answers[Endpoint.PUT] = answer
    server.trouble[Endpoint.PUT] += [trouble]
    blocks = [b"a" * 3_000_000, b"b" * 10]
    assert sink.put(blocks) == 7
    assert came[-1] == [b"s", *blocks]


def test_what_does_not_help_is_not_tried_again(server, sink, patience):
    def ended(_):
        raise Conflict("The session has ended.", code="session_ended")

    server.answers[Endpoint.PUT] = ended
    with pytest.raises(Conflict) as caught:
        sink.put([b"x"])
    assert caught.value.code == "session_ended"
    assert patience.retries == 0


def test_patience_ends_with_the_lease(server):
    link = Link(server.identity())
    server.trouble[Endpoint.OPEN_SESSION] += [BUSY] * 100
    with pytest.raises(Unavailable):
        link.open_session(1, Patience(0.3))
    assert server.asked.count(Endpoint.OPEN_SESSION) >= 2


def test_a_cancelled_job_does_not_go_on_trying(server, sink):
    class Stopped(Exception):
        pass

    def pause(seconds):
        if seconds:
            raise Stopped

    server.trouble[Endpoint.CHECKPOINT] += [DROP] * 9
    sink._patience = Patience(300, pause)
    with pytest.raises(Stopped):
        sink.checkpoint()
    assert server.asked.count(Endpoint.CHECKPOINT) == 1


@pytest.mark.parametrize("blocks", [[bytes(1 << 20)] * 8, [bytes(8 << 20)]], ids=["many blocks", "one large block"])
def test_a_cancelled_job_breaks_off_what_it_is_sending(server, sink, blocks):
    class Stopped(Exception):
        pass

    left = iter(range(10))

    def pause(_):
        if next(left, None) is None:
            raise Stopped

    taken = []
    server.answers[Endpoint.PUT] = lambda body: taken.append(len(body)) or PutReply(1)
    sink._patience = Patience(300, pause)
    with pytest.raises(Stopped):
        sink.put(blocks)
    with pytest.raises(Stopped):
        sink.put([b"not even begun"])
    sink._patience = Patience(300, lambda _: None)
    assert sink.put([b"another job goes on"]) == 1
    assert [size for size in taken if size > 1 << 20] == []


def test_the_waits_grow_to_half_a_minute_and_no_further():
    assert wait_before(1) <= 0.1
    assert all(wait_before(attempt) <= 30 for attempt in range(1, 2000))
    assert wait_before(50) >= 15


def test_a_commit_tells_the_rest_first_and_says_what_the_network_cost(server, sink):
    told = []
    sink._before_commit = lambda: told.append(len(server.asked))
    commits = []

    def answer(body):
        commits.append(msgspec.msgpack.decode(body, type=Commit))
        return Committed("snapshot")

    server.answers[Endpoint.COMMIT] = answer
    server.answers[Endpoint.CHECKPOINT] = lambda _: Committed("")
    server.trouble[Endpoint.CHECKPOINT] += [DROP]
    sink.checkpoint()
    server.trouble[Endpoint.COMMIT] += [CUT]
    assert sink.commit(b"r" * 32, ENDED) == "snapshot"
    assert sink.committed == "snapshot"
    assert told
    assert commits[0].report.transfer.retries == 1
    assert len(commits) == 2


def test_a_listing_goes_on_where_it_broke(server, sink, patience):
    folders = [msgspec.msgpack.encode(ListedFolder(b"f%d" % number, b"n")) for number in range(50)]
    server.answers[Endpoint.BASE_LISTING] = lambda _: folders
    server.trouble[Endpoint.BASE_LISTING] += [CUT, DROP, CUT]
    assert [path for path, _ in sink.base_listing()] == [b"f%d" % number for number in range(50)]
    assert patience.retries == 3


def test_a_listing_that_is_none_is_damaged(server, sink):
    server.answers[Endpoint.BASE_LISTING] = lambda _: [b"nonsense"]
    with pytest.raises(Damaged):
        list(sink.base_listing())


def test_chunks_are_asked_for_again_without_those_that_came(server, patience):
    blocks = {}
    for number in range(4):
        data = b"%d" % number
        one = chunk_id(b"k" * 32, data)
        blocks[one] = encode_block(Block(BlockKind.DATA, Method.STORED, (one,), (1,), data))
    asked = []

    def answer(body):
        asked.append(unpack_ids(msgspec.msgpack.decode(body, type=Fetch).ids))
        return [blocks[one] for one in asked[-1]]

    server.answers[Endpoint.FETCH] = answer
    server.trouble[Endpoint.FETCH] += [CUT]
    source = WireSource(Link(server.identity()), "grant", patience)
    assert sorted(source.blocks(list(blocks))) == sorted(blocks.values())
    assert [len(ids) for ids in asked] == [4, 1]


def test_the_server_is_told_how_fast_its_answers_come(server, patience):
    told = []
    data = bytes(1 << 20)
    one = chunk_id(b"k" * 32, data)
    block = encode_block(Block(BlockKind.DATA, Method.STORED, (one,), (len(data),), data))

    def answer(body):
        told.append(msgspec.msgpack.decode(body, type=Fetch))
        return [block]

    server.answers[Endpoint.FETCH] = answer
    source = WireSource(Link(server.identity()), "grant", patience)
    for _ in range(2):
        assert list(source.blocks([one], 123)) == [block]
    assert told[0].link_mb_s == 0 < told[1].link_mb_s
    assert [fetch.room for fetch in told] == [123, 123]


def test_a_server_that_always_breaks_off_over_a_chunk_has_damaged_it(server, patience):
    server.answers[Endpoint.FETCH] = lambda _: [b"half of this is never sent"]
    server.trouble[Endpoint.FETCH] += [CUT] * 20
    with pytest.raises(Damaged):
        list(WireSource(Link(server.identity()), "grant", patience).blocks([b"1" * 32]))


def test_an_expired_grant_is_waited_for(server):
    grants = []

    def answer(body):
        grants.append(msgspec.msgpack.decode(body, type=Fetch).grant)
        if grants[-1] == "old":
            raise Refused("The grant has expired.", code="grant_expired")
        return [msgspec.msgpack.encode(ListedFolder(b"", b"n"))]

    server.answers[Endpoint.FETCH] = answer
    source = WireSource(Link(server.identity()), "old", Patience(300, lambda _: source.renew("new")))
    assert len(list(source.listing())) == 1
    assert grants == ["old", "new"]


def test_a_silent_stream_of_orders_is_given_up(server, monkeypatch):
    monkeypatch.setattr(link_module, "ORDERS_SILENCE_S", 0.2)
    server.trouble[Endpoint.ORDERS] += [SILENT]
    with pytest.raises(Unavailable):
        list(Link(server.identity()).orders(hello()))


def test_a_frame_longer_than_allowed_takes_no_memory(server, sink):
    server.answers[Endpoint.BASE_LISTING] = lambda _: [b"x" * ((16 << 20) + 1)]
    with pytest.raises(Damaged):
        list(sink.base_listing())
    assert encode_frames([b""]) == b"\0\0\0\0"


def hello():
    return Hello(facts_of(current_platform(), name="host", instance_id="i"))
