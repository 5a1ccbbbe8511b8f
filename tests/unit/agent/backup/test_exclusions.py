"""Exclude patterns: the language that `exclusions` promises, on raw bytes."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from strongroom.agent.backup.exclusions import Exclusions
from strongroom.errors import Mistake
from strongroom.kernel.tour_reference import _is_marked
from strongroom.model.paths import escape_path

MATCHES = [
    # pattern, excluded, kept
    ("*.tmp", ["a.tmp", "srv/deep/.tmp", "x/a.tmp"], ["tmp", "a.tmp.gz", "a.tmpx"]),
    ("cache", ["cache", "home/u/cache"], ["caches", "my cache"]),
    ("cache/", ["cache", "home/u/cache"], ["caches"]),
    ("/var/cache", ["var/cache"], ["srv/var/cache", "var/cache2"]),
    ("/var/cache/**", ["var/cache/a", "var/cache/a/b"], ["var/cache", "var/cachet/a"]),
    ("/var/*/x", ["var/a/x"], ["var/a/b/x", "var/x"]),
    ("/var/**/x", ["var/x", "var/a/x", "var/a/b/x"], ["var/ax", "x"]),
    ("build/*.o", ["build/a.o", "src/build/a.o"], ["build/x/a.o", "rebuild/a.o", "a.o"]),
    ("**/node_modules", ["node_modules", "a/b/node_modules"], ["a/node_modules2"]),
    ("?", ["a", "\u00e4", "d/\U0001f5ff"], ["ab", "d/ab"]),
    ("[a-c]x", ["ax", "cx"], ["dx", "ABx", "abx"]),
    ("[!a-c]x", ["dx", "\u00e4x"], ["ax"]),
    ("[\u00e4\u00f6]", ["\u00e4", "\u00f6"], ["a", "\u00fc"]),
    ("[]x]y", ["]y", "xy"], ["zy"]),
    ("[*]", ["*"], ["a"]),
    ("a[b", ["a[b"], ["ab"]),
    ("a.b", ["a.b"], ["axb"]),
    ("new\\x0aline", ["new\nline"], ["new line"]),
    ("**", ["a", "a/b/c"], []),
]


@pytest.mark.parametrize(("pattern", "excluded", "kept"), MATCHES, ids=[row[0] for row in MATCHES])
def test_the_language(pattern, excluded, kept):
    assert [path for path in excluded if is_kept(path, pattern)] == []
    assert [path for path in kept if not is_kept(path, pattern)] == []


def test_bytes_that_are_no_utf8_match_too():
    exclusions = Exclusions(["*.bak", "x\\xff?"])
    assert exclusions.kept(b"", [b"\xe9.bak", b"x\xff\xfe", b"x\xffab", b"\xe9"]) == [b"x\xffab", b"\xe9"]


def test_without_patterns_everything_is_kept():
    names = [b"a", b"b"]
    assert Exclusions([]).kept(b"x", names) == Exclusions(["", "/"]).kept(b"x", names) == names


def test_many_patterns_at_once():
    exclusions = Exclusions(["*.tmp", "/a/b", "c/d"])
    assert exclusions.kept(b"a", [b"b", b"c", b"x.tmp"]) == [b"c"]
    assert exclusions.kept(b"a/c", [b"b", b"d"]) == [b"b"]


@pytest.mark.parametrize("pattern", ["[z-a]", "[ -\u4e00]"])
def test_a_range_that_makes_no_sense_is_a_mistake(pattern):
    with pytest.raises(Mistake) as caught:
        Exclusions([pattern])
    assert caught.value.code == "bad_pattern"


def test_a_bad_escape_is_a_mistake():
    with pytest.raises(Mistake):
        Exclusions(["a\\q"])


@given(st.binary(min_size=1, max_size=40).filter(lambda name: not set(name) & set(b"/*?[\0")))
def test_a_name_without_wildcards_excludes_itself_only(name):
    exclusions = Exclusions([escape_path(name)])
    assert exclusions.kept(b"f", [name, name + b"x", b"x" + name]) == [name + b"x", b"x" + name]


@given(st.text(alphabet="ab*?[]!-/\u00e4", max_size=12), st.text(alphabet="ab/\u00e4", max_size=8))
def test_no_pattern_ends_in_anything_but_an_answer_or_a_mistake(pattern, path):
    try:
        exclusions = Exclusions([pattern])
    except Mistake:
        return
    folder, _, name = path.encode().rpartition(b"/")
    assert exclusions.kept(folder, [name]) in ([], [name])


@given(st.text(alphabet="ab*?[]!-/\u00e4", max_size=12), st.text(alphabet="ab/\u00e4", max_size=12))
@example("a**/b", "ab")
@example("x/b**", "x/b/a")
@example("[a/]b", "ab")
def test_every_name_that_is_excluded_is_marked(pattern, path):
    """A tour leaves a folder alone in which a name is marked; what it does not leave has nothing excluded in it."""
    path = "/".join(part for part in path.split("/") if part)
    try:
        exclusions = Exclusions([pattern])
    except Mistake:
        return
    folder, _, name = path.encode().rpartition(b"/")
    is_excluded = not exclusions.kept(folder, [name])
    assert not is_excluded or any(_is_marked(name, *mark) for mark in exclusions.marks)


def test_plain_patterns_mark_few_names():
    assert Exclusions(["*.tmp", "cache/", "/srv/old/~*.doc", "node_**/x", "/a/*"]).marks == [
        (b"", b".tmp"),
        (b"cache", None),
        (b"~", b".doc"),
        (b"", b"x"),
        (b"", b""),
    ]


@given(st.text(alphabet="ab*?/", max_size=12), st.text(alphabet="ab/\u00e4", max_size=12))
def test_the_language_is_what_a_plain_matcher_says(pattern, path):
    pattern, path = pattern.strip("/"), "/".join(part for part in path.split("/") if part)
    if not pattern or not path:
        return
    is_meant = matches("**/" + pattern, path) if "/" in pattern else matches(pattern, path.rpartition("/")[2])
    assert is_kept(path, pattern) is not is_meant


def matches(pattern, path):
    """Say by trying everything whether a pattern takes a path; slow, but plain."""
    if not pattern:
        return not path
    if pattern.startswith("**/"):
        starts = [0, *(at + 1 for at, character in enumerate(path) if character == "/")]
        return any(matches(pattern[3:], path[start:]) for start in starts)
    if pattern.startswith("**"):
        return any(matches(pattern[2:], path[start:]) for start in range(len(path) + 1))
    if pattern.startswith("*"):
        most = len(path.partition("/")[0])
        return any(matches(pattern[1:], path[start:]) for start in range(most + 1))
    return (
        bool(path)
        and path[0] in (pattern[0], path[0] * (pattern[0] == "?" and path[0] != "/"))
        and (matches(pattern[1:], path[1:]))
    )


@pytest.mark.parametrize(
    ("pattern", "folder", "name"),
    [
        ("*a*a*a*a*a*a*a*b", "", "a" * 255),
        ("**a**a**a**a**a**b", "", "a" * 255),
        ("/**/*a*a*/**/*a*a*/**/b", "/".join(["a" * 200] * 20), "a"),
        ("**/node_modules/**/.cache/**/*.log", "/".join(["node_modules/.cache"] * 200), "x"),
    ],
)
def test_a_name_made_for_it_keeps_no_pattern_busy(pattern, folder, name):
    assert Exclusions([pattern]).kept(folder.encode(), [name.encode()]) == [name.encode()]


def is_kept(path, pattern):
    folder, _, name = path.encode().rpartition(b"/")
    return Exclusions([pattern]).kept(folder, [name]) == [name]
