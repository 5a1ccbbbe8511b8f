"""What the property tests are fed with: names, entries, folders and content, ordinary and awkward."""

import random

from hypothesis import strategies as st

from strongroom.engine.format.keys import ContentKeys
from strongroom.engine.format.tree import ends_part
from strongroom.model.cutting import CUTTING
from strongroom.model.entry import ChunkId, Entry, EntryType, Stat

KEYS = ContentKeys(b"i" * 32, b"c" * 32, CUTTING)

ids = st.integers(0, 2**256 - 1).map(lambda number: ChunkId(number.to_bytes(32, "big")))
names = st.one_of(
    st.binary(min_size=1, max_size=12),
    st.text(min_size=1, max_size=8).map(lambda text: text.encode("utf-8", "replace")),
).filter(lambda name: name not in (b".", b"..") and b"/" not in name and b"\0" not in name)
times = st.integers(-(2**63), 2**63 - 1)
counts = st.integers(0, 2**63 - 1)
owner_names = st.text(st.characters(codec="utf-8"), max_size=8)
xattrs = st.dictionaries(st.binary(min_size=1, max_size=8), st.binary(max_size=20), max_size=3).map(
    lambda found: tuple(sorted(found.items()))
)

noise = st.builds(
    lambda seed, size: random.Random(seed).randbytes(size), st.integers(0, 2**32), st.integers(0, 900_000)
)
runs = st.builds(lambda value, size: bytes([value]) * size, st.integers(0, 255), st.integers(0, 600_000))
contents = st.one_of(st.binary(max_size=300), st.binary(max_size=300), noise, runs)


@st.composite
def stats(draw, name, kind):
    return Stat(
        name,
        kind,
        mode=draw(st.integers(0, 0o7777)),
        uid=draw(st.integers(0, 2**32 - 1)),
        gid=draw(st.integers(0, 2**32 - 1)),
        size=draw(counts) if kind == EntryType.FILE else 0,
        mtime_ns=draw(times),
        ctime_ns=draw(times),
        inode=draw(counts),
        nlink=draw(st.integers(1, 2**32)),
        device=draw(counts),
        rdev=draw(counts),
        unsettled=draw(st.booleans()),
    )


@st.composite
def extents(draw, size):
    """Ranges in order, apart or touching, within the file."""
    edges = sorted(draw(st.sets(st.integers(0, size), max_size=8)))
    pairs = list(zip(edges[::2], edges[1::2], strict=False))
    return tuple((start, end - start) for start, end in pairs)


@st.composite
def entries(draw, name=None):
    """One entry of any type, with everything an entry of its type may have."""
    kind = draw(st.sampled_from(EntryType))
    stat = draw(stats(draw(names) if name is None else name, kind))
    is_file = kind == EntryType.FILE
    content = tuple(draw(st.lists(ids, max_size=4))) if is_file else ()
    return Entry(
        stat,
        user=draw(owner_names),
        group=draw(owner_names),
        target=draw(st.binary(max_size=20)) if kind == EntryType.SYMLINK else b"",
        xattrs=draw(xattrs),
        extents=draw(st.none() | extents(stat.size)) if is_file else None,
        content=content,
        depth=draw(st.integers(0, 8)) if content else 0,
        subtree=draw(ids) if kind == EntryType.FOLDER else ChunkId(b""),
        flags=draw(st.sampled_from([0, 0, 0x10, 0x80_0040, 2**32 - 1])),
    )


@st.composite
def leaves(draw, max_size=8):
    """The entries of a folder part, sorted."""
    return [draw(entries(name)) for name in sorted(draw(st.sets(names, max_size=max_size)))]


folders = st.recursive(
    st.dictionaries(names, contents, max_size=5),
    lambda below: st.dictionaries(names, contents | below, max_size=5),
    max_leaves=12,
)
"""A folder as a dictionary: a name to the content of a file, or to the dictionary of a folder."""


def split_parts(of):
    """Cut the sorted entries of a folder into its parts, as a scan does."""
    part = []
    for entry in of:
        part.append(entry)
        if ends_part(entry.name, len(part)):
            yield part
            part = []
    if part:
        yield part


def plain_file(name, content):
    """Return the entry of a file whose content became `content` (a `writer.Content`)."""
    stat = Stat(name, EntryType.FILE, 0o644, 1000, 1000, content.size, 1, 1, 1)
    return Entry(stat, content=content.ids, depth=content.depth)


def plain_folder(name, subtree):
    """Return the entry of a folder whose root node is `subtree`."""
    return Entry(Stat(name, EntryType.FOLDER, 0o755, 1000, 1000, 0, 1, 1, 1), subtree=subtree)
