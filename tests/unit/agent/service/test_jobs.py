"""A job runs once, can be stopped, and the server hears how it ended, whatever happened."""

import contextlib
import threading
import time

import msgspec
import pytest

from strongroom.agent.backup.places import Places
from strongroom.agent.journal import Journal
from strongroom.agent.link.link import Link
from strongroom.agent.platform.current import current_platform
from strongroom.agent.service.carry_out import Workshop
from strongroom.agent.service.job_events import JobEvents
from strongroom.agent.service.jobs import Jobs
from strongroom.engine.format.tree import encode_leaf
from strongroom.errors import Conflict, NotFound, Unavailable
from strongroom.model.job import Kind
from strongroom.model.missed import MissedFile, Reason
from strongroom.model.policy import ConflictMode, Content, Options
from strongroom.model.steps import Step
from strongroom.protocol.endpoints import Endpoint
from strongroom.protocol.messages import BackupOrder, Fetch, ListedFolder, ReportReply, RestoreOrder, SessionOpened
from tests.unit.agent.tls_server import BUSY, DROP


@pytest.fixture
def jobs(server, tmp_path):
    made = jobs_of(server, tmp_path)
    yield made
    made.stop(10)


def jobs_of(server, tmp_path, *, machine=None):
    shop = Workshop(Link(server.identity()), machine or current_platform(), Places(tmp_path / "state", tmp_path))
    return Jobs(shop, Journal(tmp_path / "state"), wake=lambda: None)


def backup(job_id=1, set_id=1, include="/nowhere"):
    return BackupOrder(job_id, set_id, Kind.FULL, Content((include,)), Options())


def restore(target, job_id=2, grant="g"):
    return RestoreOrder(job_id, "snapshot", (), str(target), ConflictMode.OVERWRITE, grant, b"k" * 32)


def until(is_so):
    """Wait for something; the test's own time limit ends a wait in vain."""
    while not is_so():
        time.sleep(0.01)


def finals(server):
    return [report.final for report in server.reports if report.final]


def endless(server, started):
    """Make every listing one that never ends."""

    def folders():
        while not server._release.wait(0.01):
            started.set()
            yield msgspec.msgpack.encode(ListedFolder(b"f", encode_leaf([])))

    server.answers[Endpoint.FETCH] = lambda _: folders()


def test_a_failure_names_the_step_and_says_a_sentence(server, jobs):
    def refuse(_):
        raise Conflict("The job is not to run.", code="no")

    server.answers[Endpoint.OPEN_SESSION] = refuse
    jobs.begin(backup())
    until(lambda: finals(server) and not jobs.running_ids())
    (final,) = finals(server)
    assert (final.state, final.reason, final.step) == ("failed", "step_failed", "kind")
    assert final.text == "The job is not to run."


def test_what_nobody_expected_is_reported_without_a_trace(server, tmp_path):
    server.answers[Endpoint.OPEN_SESSION] = lambda _: SessionOpened("s", b"i" * 32, b"c" * 32, 300, knows_nothing=True)
    jobs = jobs_of(server, tmp_path, machine=object())
    jobs.begin(backup())
    until(lambda: finals(server))
    (final,) = finals(server)
    assert final.state == "failed"
    assert "AttributeError" in final.text
    assert "Traceback" not in final.text
    jobs.stop(10)


def test_the_end_is_reported_until_it_arrives(server, jobs, tmp_path):
    server.answers[Endpoint.FETCH] = lambda _: [msgspec.msgpack.encode(ListedFolder(b"", encode_leaf([])))]
    server.trouble[Endpoint.REPORT] += [DROP, BUSY]
    jobs.begin(restore(tmp_path / "target"))
    until(lambda: finals(server) and not jobs.running_ids())
    (final,) = finals(server)
    assert (final.state, final.step) == ("successful", "report")
    assert Journal(tmp_path / "state").abandoned_jobs() == []


def test_a_running_job_is_in_the_journal_and_an_order_runs_once(server, jobs, tmp_path):
    started = threading.Event()
    endless(server, started)
    jobs.begin(restore(tmp_path / "target"))
    jobs.begin(restore(tmp_path / "target"))
    assert started.wait(30)
    assert jobs.running_ids() == (2,)
    assert [job.job_id for job in Journal(tmp_path / "state")._read()] == [2]
    jobs.cancel(2)
    until(lambda: not jobs.running_ids())
    jobs.begin(restore(tmp_path / "target"))
    assert jobs.running_ids() == ()
    assert [(final.state, final.reason) for final in finals(server)] == [("cancelled", "cancelled_by_user")]


def test_a_job_that_the_server_has_closed_is_dropped_without_a_word(server, jobs, tmp_path):
    started = threading.Event()
    endless(server, started)
    jobs.begin(restore(tmp_path / "target"))
    assert started.wait(30)
    server.answers[Endpoint.REPORT] = lambda _: ReportReply(go_on=False)
    assert jobs.tell() == 1
    until(lambda: not jobs.running_ids())
    assert finals(server) == []


def test_a_job_that_the_server_does_not_know_is_dropped(server, jobs, tmp_path):
    def unknown(_):
        raise NotFound("No such job.", code="no_such_job")

    started = threading.Event()
    endless(server, started)
    jobs.begin(restore(tmp_path / "target"))
    assert started.wait(30)
    server.answers[Endpoint.REPORT] = unknown
    jobs.tell()
    until(lambda: not jobs.running_ids())


def test_an_agent_that_stops_says_that_its_jobs_are_aborted(server, jobs, tmp_path):
    started = threading.Event()
    endless(server, started)
    jobs.begin(restore(tmp_path / "target"))
    assert started.wait(30)
    jobs.stop(30)
    assert [(final.state, final.reason, final.step) for final in finals(server)] == [
        ("aborted", "agent_restarted", "plan")
    ]
    jobs.begin(restore(tmp_path / "target", job_id=3))
    assert jobs.running_ids() == ()


def test_of_one_set_one_backup_at_a_time(server, jobs):
    at_once, most, lock, go = [0], [0], threading.Lock(), threading.Event()

    def opening(_):
        with lock:
            at_once[0] += 1
            most[0] = max(most[0], at_once[0])
        go.wait(0.2)
        with lock:
            at_once[0] -= 1
        raise Conflict("No.", code="no")

    server.answers[Endpoint.OPEN_SESSION] = opening
    for job_id in (1, 2, 3):
        jobs.begin(backup(job_id, set_id=7))
    until(lambda: len(finals(server)) == 3)
    assert most == [1]


def test_a_newer_grant_reaches_the_running_restore(server, jobs, tmp_path):
    grants = []

    def answer(body):
        grants.append(msgspec.msgpack.decode(body, type=Fetch).grant)
        if grants[-1] == "old":
            error = Conflict("The grant has expired.", code="grant_expired")
            error.http_status = 403
            raise error
        return [msgspec.msgpack.encode(ListedFolder(b"", encode_leaf([])))]

    server.answers[Endpoint.FETCH] = answer
    jobs.begin(restore(tmp_path / "target", grant="old"))
    until(lambda: grants)
    jobs.begin(restore(tmp_path / "target", grant="new"))
    until(lambda: finals(server))
    assert grants[-1] == "new"
    assert finals(server)[0].state == "successful"


def test_missed_files_arrive_in_order_and_none_twice(server):
    events = JobEvents(5, Step.TRANSMIT, Link(server.identity()), wake=lambda: None)
    server.trouble[Endpoint.REPORT] += [None, DROP, BUSY]
    for start in range(0, 12_000, 500):
        events.missed([MissedFile(b"/%d" % number, Reason.LOCKED) for number in range(start, start + 500)])
    events.tell_missed()
    arrived = {}
    for report in server.reports:
        for place, file in enumerate(report.missed):
            arrived.setdefault(report.missed_from + place, set()).add(file.path)
    assert arrived == {number: {b"/%d" % number} for number in range(12_000)}
    assert all(len(report.missed) <= 500 for report in server.reports)


def test_that_something_differs_is_said_from_then_on(server):
    woken = []
    events = JobEvents(5, Step.SCAN, Link(server.identity()), wake=lambda: woken.append(1))
    server.trouble[Endpoint.REPORT] += [None, DROP]
    events.tell()
    events.differs()
    for _ in range(2):
        with contextlib.suppress(Unavailable):
            events.tell()
    assert woken == [1]
    assert [report.differs for report in server.reports][:2] == [False, True]
    assert server.reports[-1].differs


def test_a_picture_says_step_counts_and_path(server):
    events = JobEvents(5, Step.SCAN, Link(server.identity()), wake=lambda: None)
    events.step(Step.TRANSMIT)
    events.progress(3, 400, b"/a\n")
    events.tell()
    events.progress(4, 500, b"/b")
    events.tell()
    first, second = server.reports
    assert (first.progress.step, first.progress.files, first.progress.bytes) == ("transmit", 3, 400)
    assert first.progress.current == r"/a\x0a"
    assert second.progress.rate_bytes_s > 0
    events.close()
    events.tell()
    assert len(server.reports) == 2
