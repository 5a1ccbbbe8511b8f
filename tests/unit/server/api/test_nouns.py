"""Each noun of the API, over real verbs and a real vault: what is asked for happens, and is shown as it is."""

import pytest

from strongroom.model.host import OsFamily
from strongroom.model.missed import MissedFile, Reason
from strongroom.server import views

FILES = {"srv/docs/a.txt": b"first", "srv/docs/b/c.txt": b"second", "srv/docs/caf\udce9": b"", "srv/docs/x\\y": b"z"}
MISSED = (MissedFile(b"/srv/docs/locked\xff", Reason.LOCKED, "by 17"), MissedFile(b"/srv/docs/gone", Reason.VANISHED))


@pytest.fixture
def snapshot(api, agent):
    """Back up once, with two missed files; give the snapshot's id."""
    job = api.post("sets/docs/backup", status=201)
    agent.orders()
    plain = {path: data for path, data in FILES.items() if path.isprintable()}
    return agent.back_up(job["id"], plain, MISSED)


def test_a_token_is_shown_once_and_listed_without_its_secret(api):
    made = api.post("tokens", {"uses": 3, "expires_s": 60}, status=201)
    assert made["token"].startswith("sra_")
    assert made["uses_left"] == 3
    (listed,) = api.get("tokens")["items"]
    assert listed == {name: value for name, value in made.items() if name != "token"}


def test_a_token_may_be_for_any_number_of_hosts(api):
    assert api.post("tokens", {}, status=201)["uses_left"] is None


@pytest.mark.parametrize("wish", [{"uses": 0}, {"uses": -1}, {"uses": 10**9}, {"expires_s": 0}, {"expires_s": 10**9}])
def test_a_token_has_its_limits(api, wish):
    assert api.request("POST", "tokens", wish, status=400).json()["code"] in {"bad_field", "bad_uses", "bad_lifetime"}


def test_a_token_that_is_deleted_is_gone(api):
    made = api.post("tokens", {}, status=201)
    api.delete(f"tokens/{made['id']}")
    assert api.get("tokens")["items"] == []
    api.problem("DELETE", f"tokens/{made['id']}", status=404, code="no_such_token")


def test_hosts_show_whether_they_are_connected(api, agent):
    (host,) = api.get("hosts")["items"]
    assert (host["name"], host["connected"], host["set_count"]) == ("files", True, 1)
    agent.disconnect()
    shown = api.get(f"hosts/{host['id']}")
    assert (shown["connected"], [one["name"] for one in shown["sets"]]) == (False, ["docs"])
    assert api.get("hosts/files") == shown


def test_a_host_is_revoked_and_its_jobs_end(api, agent):
    job = api.post("sets/docs/backup", status=201)
    assert api.post("hosts/files/revoke")["revoked"]
    assert api.get(f"jobs/{job['id']}")["reason"]["code"] == "host_revoked"
    api.problem("POST", "sets/docs/backup", status=409, code="host_revoked")


def test_a_set_is_made_as_it_was_wished(api, agent):
    wish = {
        "name": "photos",
        "host": "files",
        "include": ["/srv/photos/", "/srv/caf\\xe9"],
        "exclude": ["*.tmp"],
        "one_file_system": True,
        "options": {"locked_files": "read", "raw_names": True, "retry_missed": True, "recovery_point": "required"},
    }
    made = api.post("sets", wish, status=201)
    assert made["include"] == ["/srv/caf\\xe9", "/srv/photos"]
    assert {name: made[name] for name in ("exclude", "one_file_system", "options")} == {
        name: wish[name] for name in ("exclude", "one_file_system", "options")
    }
    assert (made["last_job"], made["last_snapshot"], made["snapshot_count"]) == (None, None, 0)
    assert api.get("sets/photos") == api.get(f"sets/{made['id']}") == made


def test_sets_that_cannot_be(api, agent):
    wish = {"name": "more", "host": "files", "include": ["/srv/more"]}
    api.problem("POST", "sets", {**wish, "name": "docs"}, status=409, code="name_taken")
    api.problem("POST", "sets", {**wish, "include": ["/srv/docs"]}, status=409, code="same_content")
    api.problem("POST", "sets", {**wish, "include": ["relative"]}, status=400, code="path_not_absolute")
    api.problem("POST", "sets", {**wish, "include": ["/bad\\escape"]}, status=400, code="bad_path")
    api.problem("POST", "sets", {**wish, "host": "nowhere"}, status=404, code="no_such_host")
    for name in ("", "5", "a/b", "..", "a\nb"):
        api.problem("POST", "sets", {**wish, "name": name}, status=400, code="bad_name")


def test_a_backup_is_a_job_that_ends_with_its_report(api, agent, snapshot):
    job = api.get("jobs/1")
    assert (job["state"], job["reason"]["code"]) == ("successful_with_errors", "completed_with_missed")
    assert (job["kind"], job["trigger"], job["source"]) == ("full", "now", "live")
    assert job["snapshot_id"] == snapshot
    assert job["missed_count"] == 2
    assert job["estimate"]["files_scanned"] > 0
    assert job["transfer"]["bytes_sent"] > 0
    assert "requested by admin" in [line["text"] for line in job["log"]]


def test_a_backup_on_a_windows_host_that_is_away_fails_at_once(api, server):
    server.make_set(server.agent("pc", OsFamily.WINDOWS), "pc", r"C:\\data")
    job = api.post("sets/pc/backup", status=201)
    assert (job["state"], job["reason"]["code"]) == ("failed", "agent_away_failed")


def test_missed_files_have_reasons_and_come_in_pages(api, snapshot):
    first, second = api.pages("jobs/1/missed", 1)
    assert first == [
        {
            "index": 0,
            "path": "/srv/docs/locked\\xff",
            "reason": "locked",
            "text": "another process holds a lock on it",
            "detail": "by 17",
        }
    ]
    assert second[0]["path"] == "/srv/docs/gone"
    api.problem("GET", "jobs/99/missed", status=404, code="no_such_job")


def test_jobs_are_found_by_set_host_state_and_type(api, server, agent, snapshot):
    server.make_set(server.agent("other"), "others", "/srv")
    api.post("sets/others/backup", status=201)
    api.post(f"snapshots/{snapshot}/restore", {}, status=201)

    def found(query):
        return [job["id"] for job in api.get(f"jobs?{query}")["items"]]

    assert found("") == [3, 2, 1]
    assert found("set=docs") == [3, 1]
    assert found("set=2") == found("host=other") == [2]
    assert found("state=successful_with_errors") == [1]
    assert found("type=restore") == [3]
    assert found("type=backup&set=docs") == [1]
    api.problem("GET", "jobs?set=none", status=404, code="no_such_set")
    api.problem("GET", "jobs?state=sleeping", status=400, code="bad_field")


def test_a_job_is_cancelled(api, agent):
    job = api.post("sets/docs/backup", status=201)
    cancelled = api.post(f"jobs/{job['id']}/cancel")
    assert (cancelled["state"], cancelled["reason"]["code"]) == ("cancelled", "cancelled_by_user")
    api.problem("POST", f"jobs/{job['id']}/cancel", status=409, code="already_ended")
    api.problem("POST", "jobs/99/cancel", status=404, code="no_such_job")


def test_snapshots_are_listed_newest_first_and_shown_by_how_they_begin(api, agent, snapshot):
    job = api.post("sets/docs/backup", status=201)
    agent.orders()
    newer = agent.back_up(job["id"], {"srv/docs/a.txt": b"changed"})
    assert [[one["id"] for one in page] for page in api.pages("sets/docs/snapshots", 1)] == [[newer], [snapshot]]
    shown = api.get(f"snapshots/{snapshot[:8]}")
    assert (shown["id"], shown["set_name"], shown["host"], shown["missed_count"]) == (snapshot, "docs", "files", 2)
    api.problem("GET", "snapshots/zz", status=400, code="bad_snapshot_id")
    api.problem("GET", "snapshots/00000000", status=404, code="no_such_snapshot")


def test_a_snapshot_is_browsed_page_by_page(api, snapshot):
    names = [[entry["name"] for entry in page] for page in api.pages(f"snapshots/{snapshot}/entries?path=/srv/docs", 2)]
    assert names == [["a.txt", "b"], ["x\\\\y"]]
    (file,) = api.get(f"snapshots/{snapshot}/entries?path=/srv/docs/a.txt")["items"]
    assert (file["type"], file["size"], file["path"]) == ("file", 5, "/srv/docs/a.txt")
    (odd,) = api.get(f"snapshots/{snapshot}/entries?path={file['path'][:9]}/x%5C%5Cy")["items"]
    assert odd["size"] == 1
    assert [entry["name"] for entry in api.get(f"snapshots/{snapshot}/entries")["items"]] == ["srv"]
    api.problem("GET", f"snapshots/{snapshot}/entries?path=/none", status=404, code="not_found")
    api.problem("GET", f"snapshots/{snapshot}/entries?path=/srv/../x", status=400, code="bad_path")
    api.problem("GET", f"snapshots/{snapshot}/entries?path=%5C", status=400, code="bad_path")


def test_a_cursor_of_one_folder_is_none_of_another(api, snapshot):
    page = api.get(f"snapshots/{snapshot}/entries?path=/srv/docs&limit=1")
    other = f"snapshots/{snapshot}/entries?path=/srv&limit=1&cursor={page['next']}"
    api.problem("GET", other, status=400, code="bad_cursor")


def test_a_restore_is_a_job_too(api, snapshot):
    wish = {"paths": ["/srv/docs/a.txt"], "target": "/tmp/out", "conflict": "keep-both"}
    job = api.post(f"snapshots/{snapshot[:10]}/restore", wish, status=201)
    assert (job["type"], job["snapshot_id"], job["kind"]) == ("restore", snapshot, None)
    assert job["restore_request"] == {
        "snapshot": snapshot,
        "paths": ["srv/docs/a.txt"],
        "target": "/tmp/out",
        "conflict": "keep-both",
    }
    original = api.post(f"snapshots/{snapshot}/restore", {}, status=201)
    assert (original["restore_request"]["target"], original["restore_request"]["paths"]) == (None, [])


def test_restores_that_cannot_be(api, snapshot):
    address = f"snapshots/{snapshot}/restore"
    api.problem("POST", address, {"paths": ["/none"]}, status=404, code="no_such_path")
    api.problem("POST", address, {"paths": ["/srv/../.."]}, status=400, code="bad_path")
    api.problem("POST", address, {"target": "here"}, status=400, code="path_not_absolute")
    api.problem("POST", address, {"host": "nowhere"}, status=404, code="no_such_host")
    api.problem("POST", address, {"conflict": "ask"}, status=400, code="bad_field")
    assert [job["type"] for job in views.jobs()] == ["backup"]


def test_the_vault_is_counted_and_found_whole(api, snapshot):
    stats = api.get("vault/stats")
    assert (stats["snapshots"], stats["bad_packs"]) == (1, 0)
    assert stats["stored_bytes"] > 0
    report = api.post("vault/check", {"read_data": True})
    assert (report["ok"], report["packs_checked"], report["damaged"]) == (True, stats["packs"], [])
    assert report["bytes_read"] == stats["stored_bytes"]
    assert api.post("vault/check", {})["bytes_read"] == 0


def test_a_damaged_pack_is_named_with_the_snapshots_that_it_hits(api, server, snapshot):
    pack = next(path for path in (server.folder.vault / "packs").rglob("*") if path.is_file())
    data = bytearray(pack.read_bytes())
    data[len(data) // 2] ^= 1
    pack.chmod(0o600)
    pack.write_bytes(data)
    report = api.post("vault/check", {"read_data": True})
    assert not report["ok"]
    assert [(item["pack"], item["snapshots"]) for item in report["damaged"]] == [(pack.name, [snapshot])]
    (hit,) = report["snapshots_hit"]
    assert (hit["id"], hit["set_name"]) == (snapshot, "docs")


def test_a_job_can_be_followed_for_a_second_at_a_time(api, snapshot):
    (job,) = api.get("jobs")["items"]
    assert api.get(f"jobs/{job['id']}?wait_s=1") == api.get(f"jobs/{job['id']}")
    for wrong in ("-1", "1.5", "nan", "soon"):
        api.problem("GET", f"jobs/{job['id']}?wait_s={wrong}", status=400, code="bad_field")
