"""Keys: derived apart from one another, and never shown."""

import itertools

import pytest

from strongroom.engine.format.keys import (
    ContentKeys,
    associated_data,
    derive_content_keys,
    derive_data_key,
    nonce,
    pack_key,
    snapshot_key,
)
from strongroom.errors import Mistake
from strongroom.kernel import gear_table
from strongroom.model.cutting import CUTTING

ROOT, VAULT = b"r" * 32, b"v" * 16


def test_every_key_differs_from_every_other():
    data_key = derive_data_key(ROOT, VAULT, 1)
    content = derive_content_keys(ROOT, VAULT, CUTTING)
    other = derive_content_keys(ROOT, b"w" * 16, CUTTING)
    keys = [
        ROOT,
        content.key_ids,
        content.key_cut,
        other.key_ids,
        other.key_cut,
        data_key,
        derive_data_key(ROOT, VAULT, 2),
        derive_data_key(ROOT, b"w" * 16, 1),
        pack_key(data_key, VAULT),
        pack_key(data_key, b"w" * 16),
        snapshot_key(data_key, VAULT),
        snapshot_key(data_key, b"w" * 16),
    ]
    assert len(set(keys)) == len(keys)
    assert {len(key) for key in keys} == {32}


def test_the_gear_table_is_that_of_the_cut_key():
    keys = derive_content_keys(ROOT, VAULT, CUTTING)
    assert keys.gear == gear_table(keys.key_cut)
    assert keys.gear is keys.gear


def test_keys_do_not_show():
    assert "105" not in repr(ContentKeys(b"i" * 32, b"c" * 32, CUTTING))
    assert "iii" not in repr(ContentKeys(b"i" * 32, b"c" * 32, CUTTING))


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_keys_and_ids_of_another_length_are_refused(length):
    key = b"k" * length
    for wrong in (
        lambda: ContentKeys(key, b"c" * 32, CUTTING),
        lambda: ContentKeys(b"i" * 32, key, CUTTING),
        lambda: derive_content_keys(key, VAULT, CUTTING),
        lambda: derive_data_key(ROOT, b"v" * (length + 1), 1),
        lambda: pack_key(key, VAULT),
    ):
        with pytest.raises(Mistake):
            wrong()


def test_no_two_seals_are_bound_to_the_same():
    uses = itertools.product((VAULT, b"w" * 16), (b"p" * 16, b"q" * 16), (0, 1, 0xFFFFFFFF), (1, 2, 3))
    bound = [associated_data(*use) for use in uses]
    assert len(set(bound)) == len(bound)
    assert len({nonce(number) for number in (0, 1, 256, 0xFFFFFFFF)}) == 4
    assert len(nonce(7)) == 12
