"""How much a connection carries is told by the best of the last large bodies, and by nothing else."""

from strongroom import clock
from strongroom.agent.link.link_speed import REMEMBERED, TELLING_BYTES, LinkSpeed


def paced(monkeypatch, mb_s):
    """Return a function that reads from a connection of this speed."""
    now = [100.0]
    monkeypatch.setattr(clock, "monotonic_s", lambda: now[0])

    def read(size_bytes):
        now[0] += size_bytes / (mb_s * 1e6)
        return bytes(size_bytes)

    return read


def test_nothing_is_known_at_first(monkeypatch):
    speed = LinkSpeed()
    assert speed.mb_s == 0
    speed.timed(paced(monkeypatch, 1000))(TELLING_BYTES - 1)
    assert speed.mb_s == 0


def test_it_is_that_of_the_fastest_body_until_that_is_long_past(monkeypatch):
    speed = LinkSpeed()
    for mb_s in (70, 900, 80):
        speed.timed(paced(monkeypatch, mb_s))(1 << 20)
    assert 898 <= speed.mb_s <= 900
    slow = speed.timed(paced(monkeypatch, 90))
    for _ in range(REMEMBERED):
        slow(1 << 20)
    assert 88 <= speed.mb_s <= 90


def test_what_was_read_is_what_comes(monkeypatch):
    assert LinkSpeed().timed(lambda size: b"x" * (size - 1))(TELLING_BYTES + 9) == b"x" * (TELLING_BYTES + 8)


def test_a_clock_that_stands_still_does_no_harm(monkeypatch):
    monkeypatch.setattr(clock, "monotonic_s", lambda: 5.0)
    speed = LinkSpeed()
    speed.timed(bytes)(TELLING_BYTES)
    assert speed.mb_s > 0
