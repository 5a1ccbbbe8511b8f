"""Two servers never run on one data folder."""

import pytest

from strongroom.errors import Conflict, Mistake
from strongroom.server.app.only_one import only_server
from strongroom.server.config import DataFolder


def test_a_second_server_is_refused_and_a_later_one_is_not(tmp_path):
    folder = DataFolder(tmp_path)
    folder.local_token.touch()
    with only_server(folder), pytest.raises(Conflict, match="running") as refused, only_server(folder):
        pass
    assert refused.value.code == "already_running"
    with only_server(folder):
        pass


@pytest.mark.parametrize("name", ["", "none"])
def test_a_folder_that_is_not_a_servers_is_left_alone_and_the_command_that_makes_one_is_named(tmp_path, name):
    with pytest.raises(Mistake) as mistake, only_server(DataFolder(tmp_path / name)):
        pass
    assert "server init" in mistake.value.hint
    assert list(tmp_path.iterdir()) == []
