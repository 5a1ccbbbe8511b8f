"""The mount table, asked about real places."""

import os

import pytest

from strongroom.agent.platform.linux import LinuxSource
from strongroom.agent.platform.mounts import MountTable


@pytest.mark.parametrize(("path", "kind"), [("/proc", "proc"), ("/sys", "sysfs")])
def test_the_kind_of_a_pseudo_file_system(path, kind):
    handle = os.open(path, os.O_RDONLY)
    try:
        assert MountTable().of_handle(handle).kind == kind
    finally:
        os.close(handle)
    with LinuxSource() as source:
        system = source.open_folder(path[1:].encode()).file_system()
        assert (system.kind, system.is_pseudo) == (kind, True)


def test_a_folder_of_files_is_not_pseudo_and_shares_its_mount_with_its_neighbours(tmp_path):
    (tmp_path / "a").mkdir()
    with LinuxSource() as source:
        above = source.open_folder(bytes(tmp_path)[1:]).file_system()
        assert source.open_folder(bytes(tmp_path / "a")[1:]).file_system() == above
        assert not above.is_pseudo


def test_the_device_is_the_one_that_stat_names_where_there_are_no_subvolumes(tmp_path):
    handle = os.open("/proc", os.O_RDONLY)
    try:
        assert MountTable().of_handle(handle).device == os.fstat(handle).st_dev
    finally:
        os.close(handle)
