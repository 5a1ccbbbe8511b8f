"""The program as a person uses it: a real server over TLS, a real agent, and nothing but commands.

Exit codes: 0 done, 1 done with errors, 2 wrong use, 3 failed. With --json exactly one JSON value; bad input is a
sentence, never a traceback.
"""

import json
import os
import subprocess
import sys
import threading

import pytest

from strongroom.cli.main import main
from strongroom.protocol import trust
from strongroom.testing.loopback import Loopback

pytestmark = [pytest.mark.system, pytest.mark.slow]
AWKWARD = {b"plain.txt": b"text", b"caf\xc3\xa9": b"e", b"back\\slash": b"b", b"new\nline": b"n", b"sub/deep.txt": b"d"}
NOT_UTF8 = b"caf\xe9"


@pytest.fixture(scope="module")
def loop(tmp_path_factory):
    with Loopback(tmp_path_factory.mktemp("real"), hosts=("files",)) as loop:
        yield loop


@pytest.fixture(scope="module")
def source(loop):
    """Make files with awkward names, and a set `docs` that protects them."""
    folder = loop.folder / "source"
    for name, data in AWKWARD.items():
        path = os.path.join(os.fsencode(folder), name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)
    loop.cli("set", "create", "docs", "--host", "files", "--include", str(folder))
    return folder


@pytest.fixture(scope="module")
def first(loop, source):
    """Back the set up once; give the job."""
    return loop.cli("backup", "docs", "--wait")


def refused(loop, *arguments, code=2, environment=None, given=""):
    """Run a command that must fail with this exit code; return what it said, which is no traceback."""
    answer = subprocess.run(
        loop.command(*arguments),
        env={**loop.environment, **(environment or {})},
        input=given,
        capture_output=True,
        text=True,
        check=False,
        errors="surrogateescape",
    )
    assert answer.returncode == code, (arguments, answer)
    assert "Traceback" not in answer.stderr
    assert answer.stdout == ""
    return answer.stderr


@pytest.fixture
def here(loop, monkeypatch, capsys):
    """Run a command in this process, which saves the start of another; give its exit code and what it said."""

    def run(*arguments):
        for name, value in loop.environment.items():
            if name.startswith(("STRONGROOM_", "XDG_")):
                monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "argv", ["strongroom", *arguments])
        try:
            main()
            code = 0
        except SystemExit as ended:
            code = ended.code or 0
        return code, *capsys.readouterr()

    return run


def test_a_backup_prints_its_job_record(first):
    assert (first["state"], first["kind"], first["trigger"]) == ("successful", "full", "now")
    assert first["estimate"]["files_scanned"] == len(AWKWARD)
    assert {"id", "set_id", "step", "source", "transfer", "missed_count", "snapshot_id"} <= first.keys()


def test_lists_and_shows(here, first):
    def shown(*arguments):
        code, out, _ = here(*arguments, "--json")
        assert code == 0
        return json.loads(out)

    assert [host["name"] for host in shown("host", "list")] == ["files"]
    assert shown("host", "show", "files")["connected"] is True
    assert shown("set", "list")[0]["last_job"]["state"] == "successful"
    assert shown("set", "show", "docs")["id"] == first["set_id"]
    assert [job["id"] for job in shown("job", "list", "--set", "docs", "--state", "successful")] == [first["id"]]
    assert shown("job", "show", str(first["id"]))["log"]
    assert shown("job", "missed", str(first["id"])) == []
    assert shown("snapshot", "list", "docs")[0]["id"] == first["snapshot_id"]
    assert shown("vault", "stats")["snapshots"] >= 1
    assert shown("vault", "check", "--read-data")["ok"] is True


def test_people_get_words(here, first):
    for arguments, word in (
        (("host", "list"), "files"),
        (("host", "show", "files"), "connected"),
        (("set", "show", "docs"), "last snapshot"),
        (("job", "list"), "successful"),
        (("job", "show", str(first["id"])), "Everything was done."),
        (("snapshot", "list", "docs"), first["snapshot_id"][:12]),
        (("snapshot", "ls", first["snapshot_id"], "/"), "drwx"),
        (("vault", "check"), "All is well."),
        (("vault", "stats"), "snapshots"),
        (("token", "list"), "uses left"),
        (("--version",), "strongroom "),
        (("backup", "--help"), "Back up a set now."),
    ):
        code, out, _ = here(*arguments)
        assert (code, word in out) == (0, True), (arguments, out)


def test_what_a_list_shows_can_be_asked_for(loop, source, first):
    shown = loop.cli("snapshot", "ls", first["snapshot_id"][:8], str(source))
    assert {entry["name"] for entry in shown} == {"plain.txt", "café", "back\\\\slash", "new\\x0aline", "sub"}
    for entry in shown:
        (one, *_) = loop.cli("snapshot", "ls", first["snapshot_id"], entry["path"])
        assert one["path"].startswith(entry["path"])
    (raw,) = loop.cli("snapshot", "ls", first["snapshot_id"], f"{source}/back\\slash")
    assert raw["size"] == 1


def test_files_come_back(loop, source, first):
    target = loop.folder / "back"
    restored = loop.cli("restore", first["snapshot_id"], f"{source}/sub", "--to", str(target), "--wait")
    assert restored["restore"]["files_restored"] == 1
    assert (target / "sub" / "deep.txt").read_bytes() == b"d"
    again = loop.run(
        "restore", first["snapshot_id"], f"{source}/sub", "--to", str(target), "--conflict", "skip", "--wait"
    )
    assert again.returncode == 0
    assert "skipped" in again.stdout or "unchanged" in again.stdout


def test_a_backup_that_missed_something_ends_with_1(loop, first):
    folder = loop.folder / "odd"
    folder.mkdir()
    with open(os.path.join(os.fsencode(folder), NOT_UTF8), "w"):
        pass
    loop.cli("set", "create", "odd", "--host", "files", "--include", str(folder))
    job = loop.cli("backup", "odd", "--wait", expect=(1,))
    assert job["state"] == "successful_with_errors"
    (missed,) = loop.cli("job", "missed", str(job["id"]))
    assert missed["path"].endswith("/caf\\xe9")
    assert missed["reason"] == "name_not_utf8"


def test_a_job_that_is_cancelled_ends_the_wait_with_3(loop, first):
    loop.stop_agent("files")
    try:
        waiting = subprocess.Popen(
            loop.command("backup", "docs", "--wait", "--json"), env=loop.environment, stdout=subprocess.PIPE, text=True
        )
        while not (queued := loop.cli("job", "list", "--state", "queued")):
            pass
        cancelled = loop.cli("job", "cancel", str(queued[0]["id"]))
        assert cancelled["reason"]["code"] == "cancelled_by_user"
        said, _ = waiting.communicate(timeout=60)
        assert (waiting.returncode, json.loads(said)["state"]) == (3, "cancelled")
        assert loop.cli("backup", "docs")["reason"]["code"] == "agent_away_queued"
        assert "already" in refused(loop, "backup", "docs", code=3)
    finally:
        loop.start_agent("files")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("backup", "nothing"), "There is no backup set nothing."),
        (("backup",), "SET"),
        (("dance",), "dance"),
        (("set", "create", "x", "--host", "files", "--include", "relative"), "not absolute"),
        (("set", "create", "5", "--host", "files", "--include", "/srv"), "number"),
        (("set", "show", ".."), "There is no backup set .."),
        (("set", "show", "a/b"), "The API has no"),
        (("set", "show", "caf\udce9"), "not valid UTF-8"),
        (("job", "show", "x"), "valid int"),
        (("job", "show", "999"), "There is no job 999."),
        (("job", "show", "9" * 30), "not in the range"),
        (("job", "list", "--state", "asleep"), "asleep"),
        (("job", "list", "--set", "nothing"), "There is no backup set nothing."),
        (("snapshot", "ls", "zz"), "not a snapshot's id"),
        (("snapshot", "ls", "000000"), "There is no snapshot"),
        (("restore", "000000"), "Say where to restore to."),
        (("restore", "000000", "--to", "here"), "not an absolute path"),
        (("restore", "000000", "--to", "/x", "--original"), "Say where to restore to."),
        (("token", "create", "--expires", "soon"), "not a duration"),
        (("token", "create", "--uses", "0"), "not in the range"),
        (("token", "delete", "99"), "There is no activation token 99."),
        (("host", "revoke", "nobody"), "There is no host nobody."),
        (("login", "backup.example.org"), "not a server's address"),
        (("agent", "activate", "sra_broken"), "not a token"),
    ],
)
def test_wrong_use_is_a_sentence(here, arguments, said):
    code, out, err = here(*arguments)
    assert (code, out, said in err) == (2, "", True), err


def test_a_server_that_is_away_is_said_so(loop):
    nowhere = {"STRONGROOM_SERVER": "https://127.0.0.1:1"}
    assert "does not answer" in refused(loop, "host", "list", code=3, environment=nowhere)


def test_a_person_logs_in_knowing_the_fingerprint(loop, tmp_path):
    fingerprint = trust.fingerprint_of((loop.data / "ca.pem").read_text()).hex()
    elsewhere = {**loop.environment, "STRONGROOM_DATA": "", "STRONGROOM_SERVER": "", "XDG_CONFIG_HOME": str(tmp_path)}
    login = loop.command("login", loop.url, "--user", "admin", "--fingerprint", fingerprint)

    def run(command, given=""):
        return subprocess.run(command, env=elsewhere, input=given, capture_output=True, text=True, check=False)

    assert run(loop.command("host", "list")).returncode == 2
    wrong = run(login, "wrong\n")
    assert (wrong.returncode, wrong.stdout) == (3, "")
    assert "The name or the password is wrong." in wrong.stderr
    assert run(login, f"{loop.password()}\n").returncode == 0
    assert "files" in run(loop.command("host", "list")).stdout
    token = run([*login, "--print-token"], f"{loop.password()}\n").stdout.strip()
    elsewhere |= {"STRONGROOM_TOKEN": token, "STRONGROOM_SERVER": loop.url, "XDG_CONFIG_HOME": str(tmp_path / "none")}
    assert json.loads(run(loop.command("host", "list", "--json")).stdout)[0]["name"] == "files"


def test_a_person_who_does_not_know_it_is_asked(loop, tmp_path):
    elsewhere = {"STRONGROOM_DATA": "", "STRONGROOM_SERVER": "", "XDG_CONFIG_HOME": str(tmp_path)}
    shown = refused(loop, "login", loop.url, code=3, environment=elsewhere, given="n\n")
    assert trust.fingerprint_of((loop.data / "ca.pem").read_text()).hex() in shown
    refused(loop, "login", loop.url, code=2, environment=elsewhere)
    wrong = "0" * 64
    assert "not the server" in refused(loop, "login", loop.url, "--fingerprint", wrong, code=3, environment=elsewhere)


def test_two_requests_at_the_same_moment_make_one_job(loop, first):
    codes = []

    def ask():
        codes.append(loop.run("backup", "docs", "--wait").returncode)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(codes) <= {0, 3}
    assert 0 in codes


def test_a_damaged_pack_ends_the_check_with_3(loop, first):
    pack = next(path for path in (loop.data / "vault" / "packs").rglob("*") if path.is_file())
    whole = pack.read_bytes()
    pack.chmod(0o600)
    try:
        middle = len(whole) // 2
        pack.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
        report = loop.cli("vault", "check", "--read-data", expect=(3,))
        assert [item["pack"] for item in report["damaged"]] == [pack.name]
        assert (
            {snapshot["id"] for snapshot in report["snapshots_hit"]} == set(report["damaged"][0]["snapshots"]) != set()
        )
        assert pack.name in loop.cli("vault", "check", "--read-data", json=False, expect=(3,))
    finally:
        pack.write_bytes(whole)
    assert loop.cli("vault", "check", "--read-data")["ok"] is True


def test_a_host_that_is_revoked_is_out(loop, first):
    loop.cli("token", "create", "--uses", "1")
    (token,) = [token for token in loop.cli("token", "list") if token["uses_left"] == 1]
    assert loop.cli("token", "delete", str(token["id"]))["deleted"] is True
    assert loop.cli("host", "revoke", "files")["revoked"]
    loop.wait_connected("files", connected=False)
    assert "revoked" in refused(loop, "backup", "docs", code=3)
