"""Magics: readable, unlike one another, and what the document says."""

import pathlib

from strongroom.engine.format import magic

MAGICS = {name: value for name, value in vars(magic).items() if isinstance(value, bytes)}
DOCUMENT = pathlib.Path(__file__).parents[4] / "docs" / "format.md"


def test_no_magic_begins_another():
    values = list(MAGICS.values())
    for one in values:
        assert [other for other in values if other.startswith(one)] == [one]


def test_every_magic_stands_in_the_document():
    text = DOCUMENT.read_text()
    for value in MAGICS.values():
        assert "`" + value.decode().replace("\n", "\\n").replace("\0", "\\0") + "`" in text
