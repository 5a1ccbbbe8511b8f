"""Spools: what is written is read again, whatever its length; what was damaged is never taken for whole."""

import contextlib
import io
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.agent.backup.spool import SpoolReader, SpoolWriter
from strongroom.errors import Damaged
from strongroom.model.missed import MissedFile, Reason


def written(records):
    file = io.BytesIO()
    out = SpoolWriter(file)
    for record in records:
        out.write(record)
    out.finish()
    return file.getvalue()


def read(data):
    return list(SpoolReader(io.BytesIO(data), MissedFile))


def some(count):
    chance = random.Random(count)
    return [MissedFile(chance.randbytes(chance.randrange(200)), Reason.LOCKED, str(n)) for n in range(count)]


@given(st.lists(st.builds(MissedFile, st.binary(max_size=100), st.sampled_from(Reason), st.text(max_size=20))))
def test_what_is_written_is_read(records):
    assert read(written(records)) == records


def test_many_records():
    assert read(written(some(20_000))) == some(20_000)


def test_a_spool_can_follow_other_things_in_its_file():
    file = io.BytesIO(b"before")
    file.seek(6)
    out = SpoolWriter(file)
    out.write(some(1)[0])
    out.finish()
    file.write(b"after")
    file.seek(6)
    assert list(SpoolReader(file, MissedFile)) == some(1)


@pytest.mark.parametrize("count", [0, 1, 50])
def test_a_spool_that_is_cut_short_anywhere_is_damaged(count):
    whole = written(some(count))
    for length in range(len(whole) - 4):  # the checksum of the frame may be missing: nothing else is then
        with pytest.raises(Damaged):
            read(whole[:length])


def test_a_changed_byte_is_damage_or_changes_nothing():
    whole = written(some(30))
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 0x55
        with contextlib.suppress(Damaged):
            assert read(bytes(changed)) == some(30)
