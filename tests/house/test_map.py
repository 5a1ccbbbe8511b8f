"""The map cannot rot: every `file : function` in the table of docs/workflow.md is there when imported."""

import importlib
import re

import pytest

from tests.house.source import PACKAGE, ROOT

MAP = ROOT / "docs" / "workflow.md"
PLACE = re.compile(r"`?(?P<file>[\w/]+\.py)`?(?:\s+:\s+`?(?P<name>\w+)`?)?")


def places():
    """Read the places out of the table's rows, in order."""
    for line in MAP.read_text().splitlines():
        if line.startswith("|"):
            yield from ((match["file"], match["name"]) for match in PLACE.finditer(line))


def test_the_map_has_every_step():
    rows = [line for line in MAP.read_text().splitlines() if line.startswith("|")]
    for step in ("REQUEST", "ADMISSION", "KIND", "RECOVERY_POINT", "SCAN", "ESTIMATE", "FILESET", "TRANSMIT"):
        assert any(step in row and PLACE.search(row) for row in rows), step
    for step in ("MISSED_FILES", "RELEASE", "REPORT"):
        assert any(step in row and PLACE.search(row) for row in rows), step


@pytest.mark.parametrize(("file", "name"), dict.fromkeys(places()))
def test_what_the_map_shows_is_there(file, name):
    assert name, f"the map names {file} without a function"
    assert (PACKAGE / file).is_file()
    module = importlib.import_module("strongroom." + file.removesuffix(".py").replace("/", "."))
    assert callable(getattr(module, name))
