"""What a hostile agent tries with verbs: nothing of another host's, no success by word alone, nothing malformed."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from msgspec.structs import replace

from strongroom import clock
from strongroom.errors import Conflict, Mistake, NotFound, StrongroomError
from strongroom.model.job import JobState, ReasonCode
from strongroom.model.missed import MissedFile, Reason
from strongroom.model.report import Estimate, JobReport, Progress
from strongroom.protocol.frames import encode_frames
from strongroom.protocol.messages import BaseListing, Checkpoint, Missing, Report
from strongroom.server import views
from strongroom.server.backup import receive
from strongroom.server.backup.report import take_report
from strongroom.server.catalog import models
from strongroom.server.catalog.connection import catalog_thread
from strongroom.testing.hand_agent import DONE


@pytest.fixture
def thief(server):
    thief = server.agent("thief")
    thief.connect()
    return thief


def test_another_hosts_job_is_not_there(thief, job_id):
    with pytest.raises(Conflict):
        thief.open_session(job_id)
    with pytest.raises(NotFound):
        thief.report(job_id, final=JobReport(state=JobState.FAILED, reason=ReasonCode.STEP_FAILED, step="scan"))
    assert views.job(job_id)["state"] == "running"


def test_another_hosts_session_is_not_there(agent, thief, job_id):
    opened = agent.open_session(job_id)
    now, host = clock.now(), thief.host
    tries = [
        lambda: receive.ask_missing(host=host, message=Missing(opened.session, b"i" * 32), now=now),
        lambda: receive.receive_parcel(host=host, parcel=encode_frames([opened.session.encode()]), now=now),
        lambda: receive.checkpoint(host=host, message=Checkpoint(opened.session), now=now),
        lambda: receive.base_listing(host=host, message=BaseListing(opened.session), now=now),
        lambda: thief.commit(job_id, opened, b"r" * 32),
    ]
    for attempt in tries:
        with pytest.raises(NotFound):
            attempt()


def test_a_job_that_was_not_handed_out_cannot_be_begun(server, agent):
    job_id = server.back_up()
    with pytest.raises(Conflict) as refused:
        agent.open_session(job_id)
    assert refused.value.code == "job_not_running"
    assert agent.report(job_id).go_on is False


@pytest.mark.parametrize("state", [JobState.SUCCESSFUL, JobState.QUEUED, JobState.RUNNING, JobState.SKIPPED])
def test_a_report_alone_makes_no_success_and_no_other_state(agent, job_id, state):
    with pytest.raises(Mistake) as refused:
        agent.report(job_id, final=JobReport(state=state, reason=ReasonCode.COMPLETED, step="report"))
    assert refused.value.code == "bad_report"
    assert views.job(job_id)["state"] == "running"


def test_a_commit_needs_a_report_of_success_and_a_whole_tree(agent, job_id):
    opened = agent.open_session(job_id)
    root, _ = agent.send(opened, {"a": b"1"})
    failed = JobReport(state=JobState.FAILED, reason=ReasonCode.STEP_FAILED, step="scan")
    for bad_root, report in ((root, failed), (b"", DONE), (b"r" * 33, DONE)):
        with pytest.raises(Mistake):
            agent.commit(job_id, opened, bad_root, report)
    with pytest.raises(Conflict) as refused:
        agent.commit(job_id, opened, b"r" * 32)
    assert refused.value.code == "incomplete_tree"
    assert views.snapshots() == []
    assert views.job(job_id)["state"] == "running"


@pytest.mark.parametrize(
    "parcel",
    [b"", b"\0", b"\xff\xff\xff\xff", encode_frames([b"\xff\xfe"]), encode_frames([b"no such"]), b"x" * (33 << 20)],
    ids=["empty", "cut", "long", "no name", "unknown", "huge"],
)
def test_a_malformed_parcel_is_refused(agent, job_id, parcel):
    agent.open_session(job_id)
    with pytest.raises(StrongroomError):
        receive.receive_parcel(host=agent.host, parcel=parcel, now=clock.now())


def test_a_parcel_of_noise_is_refused_and_the_session_lives_on(agent, job_id):
    opened = agent.open_session(job_id)
    parcel = encode_frames([opened.session.encode(), os.urandom(1000)])
    with pytest.raises(Mistake):
        receive.receive_parcel(host=agent.host, parcel=parcel, now=clock.now())
    root, _ = agent.send(opened, {"a": b"1"})
    agent.commit(job_id, opened, root)
    assert views.job(job_id)["state"] == "successful"


@pytest.mark.parametrize("ids", [b"x", b"x" * 33, b"x" * 32 * 65_537])
def test_ids_that_are_none_are_refused(agent, job_id, ids):
    opened = agent.open_session(job_id)
    with pytest.raises(Mistake):
        receive.ask_missing(host=agent.host, message=Missing(opened.session, ids), now=clock.now())


def test_endless_words_are_cut_to_size(agent, job_id):
    long = "w" * 100_000
    progress = Progress(step=long, current=long)
    missed = (MissedFile(b"p" * 100_000, Reason.LOCKED, long),)
    take_report(host=agent.host, message=Report(job_id, progress=progress, missed=missed), now=clock.now())
    final = JobReport(JobState.FAILED, ReasonCode.STEP_FAILED, long, text=long, source_why=long, notes=(long,) * 1000)
    agent.report(job_id, final=final)
    job = views.job(job_id)
    assert job["step"] == "kind"
    assert len(job["reason"]["text"]) == 2000
    assert len(job["log"]) < 300
    assert max(len(line["text"]) for line in job["log"]) == 2000
    assert len(views.missed_files(job_id)[0]["path"]) < 10_000


def test_missed_files_with_a_nonsense_place_do_no_harm(agent, job_id):
    agent.report(job_id, missed=(MissedFile(b"/x", Reason.LOCKED),), missed_from=-5)
    agent.report(job_id, missed=(MissedFile(b"/y", Reason.LOCKED),), missed_from=5_000_000)
    assert [one["path"] for one in views.missed_files(job_id)] == ["/x"]


def test_numbers_that_are_none_do_no_harm(agent, job_id):
    estimate = Estimate(duration_s=float("nan"), files_scanned=2**64 - 1)
    progress = Progress(step="scan", rate_bytes_s=float("inf"))
    missed = (MissedFile(b"/x", Reason.LOCKED),)
    message = Report(job_id, progress=progress, estimate=estimate, missed=missed, missed_from=2**63 - 1)
    assert take_report(host=agent.host, message=message, now=clock.now()).go_on
    job = views.job(job_id)
    assert (job["estimate"]["duration_s"], job["progress"]["rate_bytes_s"]) == (None, None)
    opened = agent.open_session(job_id)
    root, _ = agent.send(opened, {"a": b"1"})
    for report in (
        replace(DONE, estimate=estimate),
        replace(DONE, missed_count=2**64 - 1),
        replace(DONE, missed_count=-1),
    ):
        with pytest.raises(Mistake):
            agent.commit(job_id, opened, root, report)
    agent.commit(job_id, opened, root)
    assert views.job(job_id)["state"] == "successful_with_errors"


def test_a_job_number_that_no_table_holds_is_not_there(agent):
    with pytest.raises(NotFound):
        agent.report(2**64 - 1)
    with pytest.raises(Conflict):
        agent.open_session(2**64 - 1)


def test_what_would_steer_a_terminal_is_taken_out(agent, job_id):
    steering = "red \x1b[31m\nnew line\u202e"
    agent.report(job_id, missed=(MissedFile(b"/\x1b[31m", Reason.LOCKED, steering),))
    final = JobReport(JobState.FAILED, ReasonCode.STEP_FAILED, "scan", text=steering, notes=(steering,))
    agent.report(job_id, final=final)
    job = views.job(job_id)
    missed = views.missed_files(job_id)[0]
    said = [job["reason"]["text"], missed["path"], missed["detail"], *(line["text"] for line in job["log"])]
    assert all(text.isprintable() for text in said)


def test_the_job_of_a_report_that_comes_late_stays_as_it_was(agent, job_id):
    agent.back_up(job_id, {"a": b"1"})
    reply = agent.report(job_id, final=JobReport(JobState.FAILED, ReasonCode.STEP_FAILED, "scan"))
    assert reply.go_on is False
    assert views.job(job_id)["state"] == "successful"


def test_one_job_gets_one_session_however_many_ask_at_once(agent, job_id):
    def ask(_):
        with catalog_thread():
            return agent.open_session(job_id).session

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(ask, range(8)))) == 1
    assert models.VaultSession.objects.count() == 1


def test_commit_and_abort_at_once_leave_either_both_or_neither(server, agent):
    for round_number in range(6):
        job_id = server.back_up()
        agent.orders()
        opened = agent.open_session(job_id)
        root, _ = agent.send(opened, {"a": b"%d" % round_number})

        def commit(job_id=job_id, opened=opened, root=root):
            with catalog_thread():
                try:
                    return agent.commit(job_id, opened, root)
                except Conflict:
                    return ""

        def restart():
            with catalog_thread():
                agent.reborn().connect()

        with ThreadPoolExecutor(2) as pool:
            committed, restarted = pool.submit(commit), pool.submit(restart)
            snapshot = committed.result()
            restarted.result()
        agent.connect()
        job = views.job(job_id)
        assert (job["state"], job["snapshot_id"]) in {("successful", snapshot), ("aborted", None)}
        assert models.Snapshot.objects.filter(job_id=job_id).count() == bool(snapshot)
        assert not models.VaultSession.objects.filter(state="open").exists()
