"""Restores for the tests of exactness: a snapshot straight from the vault, into any folder."""

import os

from strongroom.agent.restore.run import run_restore
from strongroom.model.policy import ConflictMode
from strongroom.protocol.frames import decode_frames, lay_frames
from strongroom.protocol.messages import ListedFolder, RestoreOrder


class Granted:
    """A whole snapshot as a restore's source."""

    def __init__(self, vault, snapshot):
        self._vault, self._snapshot = vault, snapshot
        self._allowed = vault.coverage(snapshot)
        self.asked = []

    def listing(self):
        for path, node in self._vault.reader(self._snapshot).walk():
            yield ListedFolder(path, node)

    def blocks(self, ids, room=0):
        self.asked += ids
        for block in self._vault.blocks(ids, self._allowed, room=room):
            yield from map(bytes, decode_frames(lay_frames([block])))


class Listening:
    """Notes what a restore lists."""

    def __init__(self):
        self.files = []

    def step(self, step):
        pass

    def progress(self, files, size_bytes, current):
        pass

    def missed(self, files):
        self.files += files

    def check(self):
        pass


def brought_back(host, outcome, tree, target, source=None):
    """Restore a tree into a folder; give the place of its copy, and what was listed, by path below the tree."""
    source = source or Granted(host.vault, outcome.snapshot)
    heard = Listening()
    key = host.vault.content_keys.key_ids
    order = RestoreOrder(9, outcome.snapshot, (str(tree),), str(target), ConflictMode.OVERWRITE, "grant", key)
    report = run_restore(order, source, host.places.spool(), heard)
    assert (report.state == "successful") == (heard.files == [])
    copy = target / tree.name
    listed = {
        os.path.relpath(file.path, os.fsencode(copy)): f"{file.reason.value} {file.detail}" for file in heard.files
    }
    return copy, listed
