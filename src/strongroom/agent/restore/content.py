"""The chunks of a file, in order, however deep the lists are that name them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from strongroom.engine.format.tree import decode_node, list_items
from strongroom.errors import Damaged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from strongroom.agent.restore.fetch import Fetcher
    from strongroom.model.entry import ChunkId, Entry

_LEAST_GUESS: Final = 1 << 20


def content_of(entry: Entry, fetcher: Fetcher) -> Iterator[tuple[ChunkId, int]]:
    """Yield a file's chunks with their sizes, which are guessed where no list says them.

    Raises:
        Damaged: a list cannot be had.
    """
    if entry.depth:
        for one in entry.content:
            yield from _listed(one, entry.depth - 1, fetcher)
    elif entry.content:
        guess = max(_LEAST_GUESS, entry.stat.size // len(entry.content))
        yield from ((one, guess) for one in entry.content)


def _listed(node_id: ChunkId, level: int, fetcher: Fetcher) -> Iterator[tuple[ChunkId, int]]:
    """Yield the chunks below a list node."""
    node = fetcher.fetch([node_id]).get(node_id)
    if node is None:
        raise Damaged("A list of its chunks is damaged or missing in the vault.")
    for one, size in list_items(decode_node(node), level):
        if level:
            yield from _listed(one, level - 1, fetcher)
        else:
            yield one, size
