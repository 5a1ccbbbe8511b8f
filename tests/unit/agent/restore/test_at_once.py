"""Two restores into one target at once: each file is whole and one of the two, and nothing is left behind."""

import os
import threading

from strongroom.agent.restore.run import run_restore
from strongroom.model.policy import ConflictMode
from strongroom.protocol.messages import RestoreOrder
from tests.unit.agent.restore.conftest import Heard
from tests.unit.agent.restore.taken import CUT, KEY, TakenSnapshot


def test_two_restores_into_one_target_leave_whole_files(tmp_path):
    contents = {}
    for side in ("one", "other"):
        for number in range(600):
            folder = tmp_path / side / "deep" / f"f{number % 15:02}"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"n{number}").write_bytes(side.encode() * 500 + b"%d" % number)
            contents.setdefault(f"n{number}", set()).add((folder / f"n{number}").read_bytes())
    heard = {}

    def run(job_id, side):
        order = RestoreOrder(job_id, "s", (), str(tmp_path / "target"), ConflictMode.OVERWRITE, "g", KEY, CUT)
        heard[side] = Heard()
        run_restore(order, TakenSnapshot().take(tmp_path / side), tmp_path / "spool", heard[side])

    threads = [threading.Thread(target=run, args=at) for at in enumerate(("one", "other"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    missed = {os.path.basename(file.path).decode() for one in heard.values() for file in one.files}
    found = {}
    for folder, _, names in os.walk(tmp_path / "target"):
        for name in names:
            with open(os.path.join(folder, name), "rb") as file:
                found[name] = file.read()
    assert set(found) == set(contents)
    assert all(content in contents[name] for name, content in found.items())
    assert all(name.startswith(("n", "f", "deep")) for name in missed)
