"""Inode flags as a backup reads them."""

import os
import subprocess

import pytest

from strongroom.agent.platform.linux import LinuxPlatform
from strongroom.agent.platform.linux_flags import KEPT, Flag


@pytest.fixture
def flagged(tmp_path):
    """Make a file and a folder with flags that an ordinary user may set."""
    (tmp_path / "file").write_bytes(b"not in dumps")
    (tmp_path / "plain").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    subprocess.run(["chattr", "+dA", tmp_path / "file", tmp_path / "folder"], check=True)
    return tmp_path


def test_the_flags_of_files_and_folders_are_read(flagged):
    with LinuxPlatform().live_source() as source:
        folder = source.open_folder(os.fsencode(flagged).lstrip(b"/"))
        expected = Flag.NO_DUMP | Flag.NO_ACCESS_TIME
        for name, flags in ((b"file", expected), (b"plain", 0)):
            reader = folder.open_file(name)
            assert reader.flags() == flags  # and not how the file system stores it
            reader.close()
        assert folder.flags(b"folder") == expected


def test_a_file_system_without_flags_has_none():
    with LinuxPlatform().live_source() as source:
        assert source.open_folder(b"proc").flags(b"sys") == 0


def test_what_is_kept_are_the_flags_that_a_person_sets():
    stored_with_extents, hashed_folder = 0x80000, 0x1000
    assert not KEPT & (stored_with_extents | hashed_folder)
    assert KEPT & 0x30 == Flag.IMMUTABLE | Flag.APPEND_ONLY
