"""Backup sets: one host, absolute paths, names and contents that are there once, and clear sentences otherwise."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom import clock
from strongroom.errors import Conflict, Mistake, NotFound
from strongroom.model.host import OsFamily
from strongroom.model.paths import escape_path, unescape_path
from strongroom.model.policy import Content, Options
from strongroom.server import views
from strongroom.server.backup.sets import create_set, normal_content, require_set


@pytest.fixture
def agent(server):
    return server.agent()


def make(server, agent, name="docs", include=("/srv",), exclude=()):
    content = Content(include=tuple(include), exclude=tuple(exclude))
    return create_set(name=name, host=agent.host, content=content, options=Options(), by=server.by, now=clock.now())


def normal(*include, os_family=OsFamily.LINUX):
    return normal_content(Content(include=include), os_family).include


@pytest.mark.parametrize(
    ("include", "expected"),
    [
        (("/srv/",), ("/srv",)),
        (("//srv///files/.",), ("/srv/files",)),
        (("/b", "/a", "/b"), ("/a", "/b")),
        (("/a", "/a/b", "/a-b", "/a/b/c"), ("/a", "/a-b")),
        (("/", "/srv"), ("/",)),
        (("/\\xff",), ("/\\xff",)),
    ],
)
def test_content_has_one_normal_form(include, expected):
    assert normal(*include) == expected


@pytest.mark.parametrize(
    ("include", "expected"),
    [
        ("C:\\\\Data\\\\", "C:\\\\Data"),
        ("c:/Data/x", "c:\\\\Data\\\\x"),
        ("D:\\\\", "D:\\\\"),
        ("\\\\\\\\nas\\\\share\\\\x", "\\\\\\\\nas\\\\share\\\\x"),
    ],
)
def test_windows_paths_too(include, expected):
    assert normal(include, os_family=OsFamily.WINDOWS) == (expected,)


@given(st.lists(st.binary(min_size=1).filter(lambda path: b"\0" not in path and b".." not in path), min_size=1))
def test_the_normal_form_of_a_normal_form_is_itself_and_covers_the_same(paths):
    include = [escape_path(b"/" + path) for path in paths]
    once = normal(*include)
    assert normal(*once) == once
    kept = [unescape_path(path) for path in once]
    for path in paths:
        plain = b"/" + b"/".join(part for part in path.split(b"/") if part not in (b"", b"."))
        assert any(one in {plain, b"/"} or plain.startswith(one + b"/") for one in kept)


@pytest.mark.parametrize(
    ("include", "code"),
    [
        ((), "nothing_included"),
        (("srv",), "path_not_absolute"),
        (("",), "path_not_absolute"),
        (("C:\\\\Data",), "path_not_absolute"),
        (("/srv/../etc",), "bad_path"),
        (("/a\\x00b",), "bad_path"),
        (("/a\\q",), "bad_path"),
        (("/a",) * 10_001, "too_many_paths"),
    ],
)
def test_bad_paths_are_mistakes(include, code):
    with pytest.raises(Mistake) as refused:
        normal(*include)
    assert refused.value.code == code


@pytest.mark.parametrize("pattern", ["", "/", " "])
def test_bad_patterns_are_mistakes(server, agent, pattern):
    with pytest.raises(Mistake) as refused:
        make(server, agent, exclude=[pattern])
    assert refused.value.code == "bad_pattern"


@pytest.mark.parametrize("name", ["", "  ", "12", "a\nb", "x" * 101])
def test_bad_names_are_mistakes(server, agent, name):
    with pytest.raises(Mistake) as refused:
        make(server, agent, name)
    assert refused.value.code == "bad_name"


def test_a_name_is_there_once(server, agent):
    make(server, agent)
    with pytest.raises(Conflict) as refused:
        make(server, server.agent("other"), include=["/other"])
    assert refused.value.code == "name_taken"


def test_two_sets_of_a_host_cannot_have_the_same_content_but_of_two_hosts_they_can(server, agent):
    make(server, agent, include=["/srv", "/srv/x"])
    with pytest.raises(Conflict, match="docs") as refused:
        make(server, agent, "again", include=["/srv/"])
    assert refused.value.code == "same_content"
    make(server, agent, "less", exclude=["*.tmp"])
    make(server, server.agent("other"), "there", include=["/srv"])
    assert [one["name"] for one in views.backup_sets()] == ["docs", "less", "there"]


def test_sets_are_found_by_name_or_number(server, agent):
    made = make(server, agent)
    assert require_set("docs").id == require_set(str(made.id)).id == made.id
    for unknown in ("nothing", "99", "0", "9" * 30, "\uff11"):
        with pytest.raises(NotFound):
            require_set(unknown)
