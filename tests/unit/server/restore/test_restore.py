"""Restores: asked for, granted, read under the grant and under nothing else."""

import os
from datetime import timedelta

import msgspec
import pytest

from strongroom import clock
from strongroom.engine.format.block import Method, decode_block, open_block
from strongroom.engine.format.tree import decode_node, leaf_entries
from strongroom.engine.format.vaultfile import decode_vault_file, encode_vault_file
from strongroom.errors import Conflict, Mistake, NotFound, Refused
from strongroom.model.cutting import CUTTING, FIRST_CUTTING
from strongroom.model.host import OsFamily
from strongroom.model.job import JobState, ReasonCode
from strongroom.model.policy import ConflictMode
from strongroom.model.report import JobReport, RestoreResult
from strongroom.protocol.frames import decode_frames, lay_frames
from strongroom.protocol.messages import Fetch, ListedFolder, RestoreOrder
from strongroom.server import views
from strongroom.server.backup.abort import abort_jobs_of_host
from strongroom.server.hosts.revoke import revoke_host
from strongroom.server.premises import premises
from strongroom.server.restore.browse import list_folder
from strongroom.server.restore.fetch import fetch
from strongroom.server.restore.request import RestoreWishes, request_restore

BIG = os.urandom(200_000)  # one chunk, however the vault cuts
FILES = {"etc/conf": b"conf", "srv/a/one": BIG, "srv/a/two": b"two", "srv/b/three": b"three", "srv/top": b"top"}


@pytest.fixture
def snapshot(server, agent):
    job = server.back_up()
    agent.orders()
    return agent.back_up(job, FILES)


def ask(server, snapshot, *paths, **wishes):
    wanted = RestoreWishes(snapshot=snapshot, paths=paths, **wishes)
    return request_restore(wishes=wanted, by=server.by, now=clock.now()).id


def granted(server, agent, snapshot, *paths):
    ask(server, snapshot, *paths)
    (order,) = [order for order in agent.orders() if isinstance(order, RestoreOrder)]
    return order


def test_agents_are_told_how_the_vault_is_cut(server, agent):
    """A vault of an earlier release goes on as it was made: backup and comparison in a restore cut by its sizes."""
    path = server.folder.vault / "vault.json"
    file = decode_vault_file(path.read_bytes())
    assert file.cutting == CUTTING
    path.chmod(0o600)
    path.write_bytes(encode_vault_file(msgspec.structs.replace(file, cutting=FIRST_CUTTING)))
    server.restart()
    agent.connect()
    job = server.back_up()
    agent.orders()
    opened = agent.open_session(job)
    assert opened.cutting == FIRST_CUTTING
    root, _ = agent.send(opened, FILES)
    snapshot = agent.commit(job, opened, root)
    assert granted(server, agent, snapshot).cutting == FIRST_CUTTING


def read(agent, grant, ids=b"", now=None):
    frames = list(fetch(host=agent.host, message=Fetch(grant, ids), now=now or clock.now()))
    return [bytes(frame) for frame in decode_frames(lay_frames(frames))]


def listing(agent, order):
    folders = [msgspec.msgpack.decode(body, type=ListedFolder) for body in read(agent, order.grant)]
    return [(one.path.decode(), names_in(one.node)) for one in folders]


def names_in(node):
    return [entry.name.decode() for entry in leaf_entries(decode_node(node))]


def chunk_of(snapshot, path):
    return premises().vault.reader(snapshot).entry(path).content[0]


def test_the_order_says_what_was_asked(server, agent, snapshot):
    job_id = ask(server, snapshot[:8], "/srv/a/", target="/restored//", conflict=ConflictMode.KEEP_BOTH)
    (order,) = agent.orders()
    assert (order.job_id, order.snapshot, order.paths) == (job_id, snapshot, ("srv/a",))
    assert (order.target, order.conflict) == ("/restored", ConflictMode.KEEP_BOTH)
    assert order.key_ids == premises().vault.content_keys.key_ids
    job = views.job(job_id)
    assert (job["type"], job["state"], job["snapshot_id"]) == ("restore", "running", snapshot)


def test_without_paths_the_listing_is_whole_and_children_come_first(server, agent, snapshot):
    assert listing(agent, granted(server, agent, snapshot)) == [
        ("etc", ["conf"]),
        ("srv/a", ["one", "two"]),
        ("srv/b", ["three"]),
        ("srv", ["a", "b", "top"]),
        ("", ["etc", "srv"]),
    ]


def test_with_paths_it_shows_only_them_and_what_leads_to_them(server, agent, snapshot):
    assert listing(agent, granted(server, agent, snapshot, "srv/a", "/srv/top", "srv/a/one")) == [
        ("srv/a", ["one", "two"]),
        ("srv", ["a", "top"]),
        ("", ["srv"]),
    ]


def test_chunks_come_as_blocks_when_the_grant_covers_them(server, agent, snapshot):
    order = granted(server, agent, snapshot, "srv/a")
    wanted = chunk_of(snapshot, b"srv/a/one")
    (block,) = [decode_block(body) for body in read(agent, order.grant, wanted)]
    assert wanted in block.ids
    assert BIG in bytes(open_block(block))


@pytest.mark.parametrize(("link_mb_s", "method"), [(0, Method.ZSTD), (249, Method.ZSTD), (250, Method.STORED)])
def test_a_block_made_anew_is_compressed_for_a_slow_connection_only(server, agent, link_mb_s, method):
    texts = {"srv/a/one": b"and one " * 500, "srv/b/two": b"and two " * 500}
    job = server.back_up()
    agent.orders()
    snapshot = agent.back_up(job, texts)
    order = granted(server, agent, snapshot, "srv/a")
    fetched = fetch(
        host=agent.host,
        message=Fetch(order.grant, chunk_of(snapshot, b"srv/a/one"), link_mb_s),
        now=clock.now(),
    )
    (block,) = [decode_block(body) for body in decode_frames(lay_frames(list(fetched)))]
    assert (block.method, bytes(open_block(block))) == (method, texts["srv/a/one"])


def test_a_chunk_outside_the_grant_is_refused(server, agent, snapshot):
    order = granted(server, agent, snapshot, "srv/a")
    for stranger in (chunk_of(snapshot, b"srv/top"), b"x" * 32):
        with pytest.raises(Refused) as refused:
            read(agent, order.grant, stranger)
        assert refused.value.code == "not_granted"


def test_a_grant_is_for_one_host_and_while_its_job_runs(server, agent, snapshot):
    order = granted(server, agent, snapshot)
    thief = server.agent("thief")
    with pytest.raises(Refused) as refused:
        read(thief, order.grant)
    assert refused.value.code == "not_granted"
    with pytest.raises(Refused) as refused:
        read(agent, order.grant, now=clock.now() + timedelta(minutes=61))
    assert refused.value.code == "grant_expired"
    agent.report(order.job_id, final=JobReport(JobState.SUCCESSFUL, ReasonCode.COMPLETED, "place"))
    with pytest.raises(Refused):
        read(agent, order.grant)


CHANGES = {
    "nothing": lambda grant: "",
    "cut": lambda grant: grant[:-2],
    "longer": lambda grant: "A" + grant,
    "unsigned": lambda grant: grant.partition(".")[0],
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_made_up_grant_is_refused(server, agent, snapshot, change):
    order = granted(server, agent, snapshot)
    with pytest.raises(Refused):
        read(agent, change(order.grant))


def test_a_fresh_grant_comes_before_the_old_one_ends(server, agent, snapshot):
    order = granted(server, agent, snapshot)
    assert agent.orders() == []
    agent.link.sent[order.job_id] -= 41 * 60
    (renewed,) = agent.orders()
    assert (renewed.job_id, renewed.paths) == (order.job_id, order.paths)


def test_a_restore_does_not_wait_for_backups(server, agent, snapshot):
    server.back_up()
    ask(server, snapshot)
    assert {type(order).__name__ for order in agent.orders()} == {"BackupOrder", "RestoreOrder"}


def test_it_may_go_to_another_host(server, agent, snapshot):
    other = server.agent("other")
    other.connect()
    job_id = ask(server, snapshot, host="other", target="/x")
    assert views.job(job_id)["host"] == "other"
    (order,) = other.orders()
    assert read(other, order.grant)


def test_it_closes_with_errors_exactly_when_something_was_missed(server, agent, snapshot):
    job_id = granted(server, agent, snapshot).job_id
    result = RestoreResult(files_total=5, files_restored=5)
    agent.report(job_id, final=JobReport(JobState.SUCCESSFUL, ReasonCode.COMPLETED, "place", restore=result))
    job = views.job(job_id)
    assert (job["state"], job["restore"]["files_restored"]) == ("successful", 5)
    job_id = granted(server, agent, snapshot).job_id
    agent.report(job_id, final=JobReport(JobState.SUCCESSFUL, ReasonCode.COMPLETED, "place", missed_count=2))
    assert views.job(job_id)["state"] == "successful_with_errors"


def test_away_linux_queues_and_windows_fails(server, agent, snapshot):
    agent.disconnect()
    assert views.job(ask(server, snapshot))["state"] == "queued"
    server.agent("win", OsFamily.WINDOWS)
    job = views.job(ask(server, snapshot, host="win", target="C:\\\\x"))
    assert (job["state"], job["step"]) == ("failed", "admission")
    assert "restore" in job["reason"]["text"]


@pytest.mark.parametrize(
    ("wishes", "error"),
    [
        ({"paths": ("srv/none",)}, NotFound),
        ({"paths": ("srv/top/below",)}, NotFound),
        ({"paths": ("srv/../etc",)}, Mistake),
        ({"target": "relative"}, Mistake),
        ({"target": "/a/../b"}, Mistake),
        ({"host": "nobody"}, NotFound),
        ({"snapshot": "abc"}, Mistake),
        ({"snapshot": "000000"}, NotFound),
    ],
)
def test_bad_wishes_get_a_clear_error(server, agent, snapshot, wishes, error):
    with pytest.raises(error):
        request_restore(wishes=RestoreWishes(**{"snapshot": snapshot, **wishes}), by=server.by, now=clock.now())
    assert len(views.jobs()) == 1


def test_nothing_is_restored_to_a_revoked_host(server, agent, snapshot):
    revoke_host(host=agent.host, by=server.by, now=clock.now(), abort_jobs=abort_jobs_of_host)
    with pytest.raises(Conflict):
        ask(server, snapshot)


def test_browsing_goes_folder_by_folder_and_page_by_page(server, agent, snapshot):
    top = list_folder(snapshot=snapshot[:6], path="/")
    assert [(entry["path"], entry["type"]) for entry in top["entries"]] == [("/etc", "folder"), ("/srv", "folder")]
    page = list_folder(snapshot=snapshot, path="srv/a", limit=1)
    assert ([entry["name"] for entry in page["entries"]], page["next"]) == (["one"], "one")
    page = list_folder(snapshot=snapshot, path="/srv/a", after="one", limit=1)
    assert ([entry["name"] for entry in page["entries"]], page["next"]) == (["two"], None)
    (entry,) = list_folder(snapshot=snapshot, path="/srv/top")["entries"]
    assert (entry["path"], entry["size_bytes"]) == ("/srv/top", 3)
    with pytest.raises(NotFound):
        list_folder(snapshot=snapshot, path="/none")


def test_a_snapshots_short_name_must_name_one(server, agent, snapshot):
    assert views.snapshot(snapshot[:6].upper())["id"] == snapshot
    for bad in ("", "12345", "xyzxyz", "%_%_%_", snapshot + "0"):
        with pytest.raises(Mistake):
            views.snapshot(bad)
