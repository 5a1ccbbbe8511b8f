"""Two servers never run on one data folder."""

import pytest

from strongroom.errors import Conflict, Mistake
from strongroom.server.app.only_one import only_server
from strongroom.server.config import DataFolder


def test_a_second_server_is_refused_and_a_later_one_is_not(tmp_path):
    folder = DataFolder(tmp_path)
    with only_server(folder), pytest.raises(Conflict, match="running") as refused, only_server(folder):
        pass
    assert refused.value.code == "already_running"
    with only_server(folder):
        pass


def test_a_folder_that_is_not_there_names_the_command_that_makes_one(tmp_path):
    with pytest.raises(Mistake) as mistake, only_server(DataFolder(tmp_path / "none")):
        pass
    assert "server init" in mistake.value.hint
