"""The rooms keep to who may import whom, and the contracts in pyproject.toml would notice if they did not."""

import shutil
import subprocess
import sys

import pytest

from tests.house.source import ROOT

LINT = "from importlinter.cli import lint_imports_command as lint; lint(['--no-logo', '--no-cache'])"
ROOMS = """
    testing.demo cli.main cli.server cli.agent cli.host server.app server.api.hosts server.console.pages
    server.gateway.orders server.schedule.loop server.views server.backup.request server.restore.request
    server.upkeep.expire server.hosts.activate server.catalog.jobs server.config server.orders server.premises
    server.setup server.users agent.service agent.link agent.journal agent.backup.run agent.restore.run
    agent.platform.linux agent.config protocol.messages engine.vault.vault engine.content.writer engine.format.pack
    kernel.reference model.job settings log clock errors
"""
VIOLATIONS = [
    ("kernel.reference", "strongroom.settings"),
    ("engine.format.pack", "strongroom.engine.vault.vault"),
    ("engine.vault.vault", "strongroom.protocol.messages"),
    ("agent.backup.run", "strongroom.agent.link"),
    ("agent.link", "strongroom.engine.vault.vault"),
    ("agent.platform.linux", "django"),
    ("server.api.hosts", "strongroom.server.catalog.jobs"),
    ("server.gateway.orders", "strongroom.server.catalog.jobs"),
    ("server.gateway.orders", "strongroom.server.api.hosts"),
    ("server.app", "strongroom.agent.service"),
    ("cli.host", "strongroom.server.hosts.activate"),
]


def lint(folder):
    return subprocess.run([sys.executable, "-c", LINT], cwd=folder, capture_output=True, text=True, check=False)


def test_every_import_contract_is_kept():
    answer = lint(ROOT)
    assert answer.returncode == 0, answer.stdout + answer.stderr


@pytest.fixture
def stand_in(tmp_path):
    """Make a package of empty modules under our contracts: there, one import is one fault."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for name in ROOMS.split():
        write(tmp_path, name, "")
    return tmp_path


def write(root, module, text):
    path = (root / "strongroom" / module.replace(".", "/")).with_suffix(".py")
    path.parent.mkdir(parents=True, exist_ok=True)
    for folder in path.relative_to(root).parents[:-1]:
        (root / folder / "__init__.py").touch()
    path.write_text(text)


def test_the_contracts_allow_what_breaks_none(stand_in):
    write(stand_in, "agent.link", "import strongroom.protocol.messages")
    write(stand_in, "server.backup.request", "import strongroom.server.catalog.jobs")
    answer = lint(stand_in)
    assert answer.returncode == 0, answer.stdout + answer.stderr


@pytest.mark.parametrize(("module", "imported"), VIOLATIONS)
def test_the_contracts_notice(stand_in, module, imported):
    write(stand_in, module, f"import {imported}")
    assert_noticed(lint(stand_in))


def test_the_contracts_notice_a_room_nobody_placed(stand_in):
    write(stand_in, "leftovers.things", "")
    assert_noticed(lint(stand_in))


def assert_noticed(answer):
    """A broken contract, and not a linter that could not begin."""
    assert answer.returncode == 1
    assert "BROKEN" in answer.stdout, answer.stdout
