"""What people type is understood, and what they are shown they can type again."""

import os
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.cli.output import harmless, minute, moment, readable, size
from strongroom.cli.paths import as_argument
from strongroom.cli.set import spread
from strongroom.cli.token import duration_s
from strongroom.errors import Mistake
from strongroom.model.paths import escape_path, unescape_path

PATHS = st.binary().filter(lambda path: b"\0" not in path).map(lambda path: b"/" + path)


@given(PATHS)
def test_a_path_as_it_is_shown_is_that_path(path):
    assert unescape_path(as_argument(escape_path(path))) == path


@given(PATHS.filter(lambda path: b"\\" not in path))
def test_a_path_as_the_shell_gives_it_is_that_path(path):
    assert unescape_path(as_argument(os.fsdecode(path))) == path


@pytest.mark.parametrize("path", ["/a\\b", "/a\\", "/a\\xzz", "C:\\x64", "C:\\Users\\x", "\\\\server\\share"])
def test_a_backslash_that_begins_no_escape_is_itself(path):
    assert unescape_path(as_argument(path)) == path.encode()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30m", 1800), ("24h", 86400), ("7d", 604800), ("1d12h", 129600), ("90 s", 90), ("2w", 1209600)],
)
def test_durations(text, seconds):
    assert duration_s(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "h", "-5m", "1.5h", "5m x", "tomorrow", "9" * 5000 + "s"])
def test_what_is_no_duration(text):
    with pytest.raises(Mistake):
        duration_s(text)


@pytest.mark.parametrize(
    ("count", "text"), [(None, ""), (0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (5 << 30, "5.0 GiB")]
)
def test_sizes(count, text):
    assert size(count) == text


def test_times():
    assert moment("2026-01-31T12:00:00.000Z") == "2026-01-31 12:00:00 UTC"
    assert minute("2026-01-31T12:00:00.000Z") == "2026-01-31 12:00"
    assert moment(None) == minute(None) == ""


def test_values_read_as_sentences():
    assert readable({"raw_names": True, "id": 3, "time": "2026-01-31T12:00:00.000Z"}) == (
        "raw names yes, id 3, time 2026-01-31 12:00:00 UTC"
    )
    assert readable(["a", 1.005, False]) == "a, 1.00, no"


@given(st.text())
def test_nothing_steers_the_terminal(text):
    shown = harmless(text)
    assert not {character for character in shown if unicodedata.category(character) == "Cc"}
    assert not set("\u2028\u2029\u202e\u2066") & set(shown)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("docs --host h --include /a /b", "docs --host h --include /a --include /b"),
        (
            "docs --include /a /b --exclude x y --host h",
            "docs --include /a --include /b --exclude x --exclude y --host h",
        ),
        ("--host h --include /a docs", "--host h --include /a docs"),
        ("docs --include /a --include /b", "docs --include /a --include /b"),
        ("docs --include /a --json /b", "docs --include /a --json /b"),
    ],
)
def test_lists_may_be_given_in_one_go(given, meant):
    assert spread(given.split()) == meant.split()
