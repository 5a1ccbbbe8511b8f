"""The loopback starts, awaits, kills and ends processes; tried on a stand-in program, so that only this is tested."""

import os
import sys
import time

import pytest

from strongroom.errors import Unavailable
from strongroom.testing.loopback import Loopback

STAND_IN = """
import json, os, pathlib, subprocess, sys, time
data = pathlib.Path(os.environ["STRONGROOM_DATA"])
words = sys.argv[1:]
if words[:2] == ["server", "init"]:
    data.mkdir()
    print(json.dumps({"admin": "admin", "password": "made once"}))
elif words[:2] == ["server", "run"]:
    (data / "up").write_text(words[-1])
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    (data / "child").write_text(str(child.pid))
    time.sleep(600)
elif words[:2] == ["token", "create"]:
    print(json.dumps({"token": "T"}))
elif words[:2] == ["agent", "activate"]:
    pathlib.Path(words[words.index("--state") + 1]).mkdir()
elif words[:2] == ["agent", "run"]:
    state = pathlib.Path(words[-1])
    if (state / "broken").exists():
        sys.exit("no identity")
    (data / state.name).write_text(str(os.getpid()))
    time.sleep(600)
elif words[:2] == ["host", "list"]:
    if not (data / "up").exists():
        sys.exit(3)
    alive = lambda file: os.path.exists("/proc/" + file.read_text())
    print(json.dumps([{"name": f.name[6:], "connected": alive(f)} for f in data.glob("agent-*")]))
else:
    print("what?", file=sys.stderr)
    sys.exit(2)
"""


@pytest.fixture
def loop(tmp_path):
    (tmp_path / "stand_in.py").write_text(STAND_IN)
    with Loopback(tmp_path / "loop", hosts=("a", "b"), program=[sys.executable, str(tmp_path / "stand_in.py")]) as loop:
        yield loop


def alive(pid):
    return os.path.exists(f"/proc/{pid}") and "State:\tZ" not in open(f"/proc/{pid}/status").read()


def gone(pid):
    for _ in range(100):
        if not alive(pid):
            return True
        time.sleep(0.02)
    return False


def test_all_is_started_and_connected(loop):
    assert set(loop.pids()) == {"server", "agent-a", "agent-b"}
    assert {host["name"] for host in loop.cli("host", "list") if host["connected"]} == {"a", "b"}


def test_the_password_is_kept_for_nobody_else(loop):
    assert loop.password() == "made once"
    assert (loop.folder / "password").stat().st_mode & 0o077 == 0


def test_all_is_ended_children_too(loop):
    pids = [*loop.pids().values(), int((loop.data / "child").read_text())]
    loop.stop()
    assert loop.pids() == {}
    assert all(gone(pid) for pid in pids)


def test_a_killed_agent_is_seen_as_gone_and_can_come_back(loop):
    loop.kill_agent("a")
    loop.wait_connected("a", connected=False)
    assert set(loop.pids()) == {"server", "agent-b"}
    loop.start_agent("a")
    assert "agent-a" in loop.pids()


def test_a_killed_server_can_come_back_at_the_same_address(loop):
    address = (loop.data / "up").read_text()
    child = int((loop.data / "child").read_text())
    loop.kill_server()
    assert gone(child)
    loop.start_server()
    assert (loop.data / "up").read_text() == address == f"127.0.0.1:{loop.port}"


def test_a_folder_that_was_used_goes_on(loop):
    loop.stop()
    again = Loopback(loop.folder, hosts=("a",), program=loop.program)
    assert again.port == loop.port
    with again:
        assert set(again.pids()) == {"server", "agent-a"}


def test_an_unexpected_exit_code_tells_what_was_said(loop):
    with pytest.raises(Unavailable, match=r"dance --json ended with 2: what\?"):
        loop.cli("dance")
    assert loop.cli("dance", json=False, expect=(2,)) == ""


def test_a_process_that_ends_at_once_is_told_with_its_log(loop):
    loop.stop_agent("a")
    (loop.data / "agent-a").unlink()
    (loop.state("a") / "broken").touch()
    with pytest.raises(Unavailable, match=r"agent-a ended(?s:.)*no identity"):
        loop.start_agent("a")
