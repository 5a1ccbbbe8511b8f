"""The fetcher: how far it runs ahead, and what it keeps in memory."""

import pytest

from strongroom.agent.restore import fetch
from strongroom.agent.restore.fetch import Fetcher, fetched
from strongroom.agent.restore.steps import Batch
from strongroom.engine.content.blocks import make_block
from strongroom.engine.format.block import BlockKind, encode_block
from strongroom.engine.format.ids import chunk_id
from tests.unit.agent.restore.taken import KEY


class OneBlock:
    """Answers everything with the same block."""

    def __init__(self, *contents):
        self.ids = [chunk_id(KEY, data) for data in contents]
        self.block = encode_block(make_block(BlockKind.DATA, list(zip(self.ids, contents, strict=True))))

    def blocks(self, ids, room=0):
        yield self.block


@pytest.mark.parametrize(("wanted", "kept"), [([0, 1, 2, 3], 4000), ([0, 1, 3], 4000), ([2], 1000)])
def test_a_block_is_kept_in_memory_only_for_most_of_it(wanted, kept):
    contents = [bytes([number]) * 1000 for number in range(4)]
    source = OneBlock(*contents)
    chunks = Fetcher(source, KEY).fetch([source.ids[number] for number in wanted])
    assert {one: bytes(data) for one, data in chunks.items()} == {source.ids[n]: contents[n] for n in wanted}
    assert all(len(data.obj) == kept for data in chunks.values())


@pytest.mark.parametrize(("size", "ahead"), [(0, 5), (16 << 20, 5), (32 << 20, 3), (1 << 30, 0)])
def test_so_many_batches_are_on_their_way_as_memory_allows(size, ahead):
    asked = []

    def batches():
        for number in range(20):
            asked.append(number)
            yield Batch(bytes=size, size=number)

    for number, (batch, _) in enumerate(fetched(batches(), lambda _: None, lambda *_: {})):
        assert batch.size == number
        assert len(asked) == min(number + ahead + 1, 20)
    assert number == 19
    assert fetch.AHEAD_BYTES < 128 << 20
