"""Snapshot records: they open under their own name and key, and under no other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.engine.format.keys import derive_data_key
from strongroom.engine.format.snapshot import SnapshotRecord, open_snapshot, seal_snapshot
from strongroom.errors import Damaged
from strongroom.model.job import Kind
from strongroom.model.policy import Content
from tests.property.strategies import ids

ROOT_KEY = b"r" * 32
VAULT = b"v" * 16
texts = st.text(st.characters(codec="utf-8"), max_size=12)
names = st.binary(min_size=16, max_size=16).map(bytes.hex)
epochs = st.integers(0, 2**32 - 1)
counts = st.integers(0, 2**63 - 1)
records = st.builds(
    SnapshotRecord,
    id=names,
    set_id=counts,
    host=texts,
    job_id=counts,
    time_ns=counts,
    kind=st.sampled_from(Kind),
    base=names | st.just(""),
    root=ids,
    files=counts,
    size_bytes=counts,
    content=st.builds(
        Content,
        include=st.lists(texts, max_size=3).map(tuple),
        exclude=st.lists(texts, max_size=3).map(tuple),
        one_file_system=st.booleans(),
    ),
)


def data_key(epoch):
    return derive_data_key(ROOT_KEY, VAULT, epoch)


def sealed(record, epoch):
    return seal_snapshot(record, vault_id=VAULT, epoch=epoch, data_key=data_key(epoch))


def opened(data, name, *, vault=VAULT, key=data_key):
    return open_snapshot(data, snapshot=name, vault_id=vault, data_key=key)


@given(records, epochs)
def test_a_record_comes_back_as_it_was(record, epoch):
    assert opened(sealed(record, epoch), record.id) == record


@given(records, epochs, st.data())
def test_one_changed_byte_is_damaged(record, epoch, data):
    whole = bytearray(sealed(record, epoch))
    whole[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(Damaged):
        opened(whole, record.id)


@given(records, names)
def test_a_record_under_another_name_is_damaged(record, name):
    if name != record.id:
        with pytest.raises(Damaged):
            opened(sealed(record, 1), name)


@given(records)
def test_a_record_of_another_vault_or_key_is_damaged(record):
    whole = sealed(record, 1)
    with pytest.raises(Damaged):
        opened(whole, record.id, vault=b"w" * 16)
    with pytest.raises(Damaged):
        opened(whole, record.id, key=lambda epoch: data_key(epoch + 1))


@given(st.binary(max_size=120), st.text(max_size=40) | names)
def test_arbitrary_bytes_and_names_are_damaged(data, name):
    with pytest.raises(Damaged):
        opened(data, name)
