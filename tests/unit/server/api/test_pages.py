"""Lists come in bounded pages; a cursor goes on where its page ended, and fits no other list."""

import base64

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.errors import Mistake
from strongroom.server.api.pages import begin_of, cursor_at, page_of


@given(st.lists(st.integers(0, 2**62), unique=True), st.integers(1, 20))
def test_pages_make_up_the_list(numbers, limit):
    ordered = sorted(numbers)
    seen, cursor = [], ""
    while cursor is not None:
        after = begin_of(cursor, "list", -1)
        found = [number for number in ordered if number > after][: limit + 1]
        page = page_of(found, limit=limit, listed="list", position=lambda number: number)
        assert len(page["items"]) <= limit
        seen += page["items"]
        cursor = page["next"]
    assert seen == ordered


@given(st.text() | st.integers(-(2**63), 2**63 - 1))
def test_a_cursor_holds_its_position(position):
    first = "" if isinstance(position, str) else 0
    assert begin_of(cursor_at(position, "jobs") or "", "jobs", first) == position


def packed(value):
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(value)).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "ü",
        "=",
        "AAAA",
        packed(["jobs"]),
        packed(["jobs", 1, 2]),
        packed(["jobs", "1"]),
        packed(["jobs", None]),
        packed({"jobs": 1}),
        cursor_at(1, "sets"),
    ],
)
def test_what_is_no_cursor_of_the_list_is_refused(cursor):
    with pytest.raises(Mistake) as refused:
        begin_of(cursor, "jobs", 0)
    assert refused.value.code == "bad_cursor"


@given(st.text())
def test_any_text_is_a_cursor_or_a_mistake(text):
    try:
        begin_of(text, "jobs", 0)
    except Mistake as refused:
        assert refused.code == "bad_cursor"  # noqa: PT017 - either is right


@pytest.mark.parametrize("limit", [0, -1, 1001, "x", ""])
def test_a_page_has_its_bounds(api, limit):
    api.problem("GET", f"jobs?limit={limit}", status=400, code="bad_field")


def test_hosts_and_sets_come_by_name(api, server):
    for name in ("b", "c", "a"):
        server.make_set(server.agent(name), f"set-{name}")
    assert [[host["name"] for host in page] for page in api.pages("hosts", 2)] == [["a", "b"], ["c"]]
    assert [[one["name"] for one in page] for page in api.pages("sets", 1)] == [["set-a"], ["set-b"], ["set-c"]]


def test_tokens_come_newest_first(api):
    for _ in range(3):
        api.post("tokens", {}, status=201)
    assert [[token["id"] for token in page] for page in api.pages("tokens", 2)] == [[3, 2], [1]]


def test_jobs_come_newest_first_and_new_ones_disturb_no_page(api, server, agent):
    for _ in range(3):
        job = server.back_up()
        agent.orders()
        agent.back_up(job, {"a": b"content"})
    page = api.get("jobs?limit=2")
    server.back_up()
    rest = api.get(f"jobs?limit=2&cursor={page['next']}")
    assert [job["id"] for job in page["items"] + rest["items"]] == [3, 2, 1]
    assert rest["next"] is None
