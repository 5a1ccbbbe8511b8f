"""W5, the server's side: the first backup of a set is full, all later ones incremental."""

from strongroom.model.job import JobState, Kind, ReasonCode
from strongroom.model.report import JobReport
from strongroom.server import views
from strongroom.server.backup.kind import choose_kind


def run(server, agent, name="docs", files=None):
    job_id = server.back_up(name)
    (order,) = agent.orders()
    return order, agent.back_up(job_id, files or {"a": b"content"})


def test_the_rule():
    assert choose_kind(newest_snapshot="") is Kind.FULL
    assert choose_kind(newest_snapshot="ab" * 16) is Kind.INCREMENTAL


def test_first_full_then_incremental_on_the_newest(server, agent):
    order, first = run(server, agent)
    assert (order.kind, order.base_snapshot) == (Kind.FULL, "")
    order, second = run(server, agent)
    assert (order.kind, order.base_snapshot) == (Kind.INCREMENTAL, first)
    order, _ = run(server, agent, files={"a": b"other"})
    assert (order.kind, order.base_snapshot) == (Kind.INCREMENTAL, second)
    assert [one["kind"] for one in views.snapshots()] == ["incremental", "incremental", "full"]
    assert [one["kind"] for one in views.jobs()] == ["incremental", "incremental", "full"]


def test_each_set_has_its_own_first(server, agent):
    run(server, agent)
    server.make_set(agent, "more", "/srv/more")
    order, _ = run(server, agent, "more")
    assert order.kind is Kind.FULL


def test_a_first_backup_that_failed_was_none(server, agent):
    job_id = server.back_up()
    agent.orders()
    agent.report(job_id, final=JobReport(state=JobState.FAILED, reason=ReasonCode.STEP_FAILED, step="scan"))
    order, _ = run(server, agent)
    assert order.kind is Kind.FULL


def test_nothing_changed_sends_nothing(server, agent):
    run(server, agent)
    job_id = server.back_up()
    agent.orders()
    opened = agent.open_session(job_id)
    root, sent = agent.send(opened, {"a": b"content"})
    assert sent == 0
    agent.commit(job_id, opened, root)


def test_a_damaged_snapshot_is_no_base(server, agent):
    _, first = run(server, agent)
    run(server, agent, files={"b": b"only in the second"})
    newest_pack = max(server.folder.vault.glob("packs/*/*"), key=lambda path: path.stat().st_mtime_ns)
    newest_pack.write_bytes(newest_pack.read_bytes()[:-1] + b"!")
    server.check()
    order, _ = run(server, agent, files={"b": b"only in the second"})
    assert (order.kind, order.base_snapshot) == (Kind.INCREMENTAL, first)
