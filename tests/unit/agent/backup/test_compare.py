"""Comparing two listings of any shape, read in step, tells the same as two dictionaries would."""

import tempfile
from pathlib import Path

import msgspec
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from strongroom.agent.backup.compare import FolderComparison, UnchangedFolders, compare
from strongroom.agent.backup.estimate import estimate
from strongroom.agent.backup.events import Events
from strongroom.agent.backup.joined import NewStats, is_unchanged
from strongroom.agent.backup.known import Known, KnownWriter, decode_folder
from strongroom.agent.backup.listing import Counts, ListingWriter, SameFolders, order_key
from strongroom.agent.backup.spool import bodies_of
from strongroom.agent.backup.told import ListedPart
from strongroom.engine.content.writer import Leaf
from strongroom.engine.format.splice import EncodedRun
from strongroom.engine.format.tree import decode_node, encode_leaf, leaf_entries, splice_leaf
from strongroom.model.entry import Entry, EntryType, Stat

NAMES = [b"a", b"a.", b"aa", b"b", b"b\x01", b"\xff"]
FILE, FOLDER = EntryType.FILE, EntryType.FOLDER

trees = st.recursive(
    st.integers(0, 3),  # a file, by its age
    lambda inner: st.dictionaries(st.sampled_from(NAMES), inner, max_size=5),
    max_leaves=20,
).map(lambda tree: tree if isinstance(tree, dict) else {})
sizes = st.integers(1, 3)


def stat(name, what):
    age = 9 if isinstance(what, dict) else what
    kind = FOLDER if isinstance(what, dict) else FILE
    return Stat(name, kind, 0o644, 0, 0, age if kind is FILE else 0, age, age, 1)


def parts(tree, size):
    names = sorted(tree)
    return [names[at : at + size] for at in range(0, len(names), size)]


def listed(stats):
    encoded = msgspec.msgpack.encode(stats)
    files = sum(one.type is FILE for one in stats)
    return ListedPart(stats[0].name, stats[-1].name, files, blake3(encoded).digest(16), encoded)


def write_listing(folder, tree, size, against):
    out = ListingWriter(folder, against)

    def visit(path, tree):
        out.begin_folder()
        for names in parts(tree, size):
            out.add_part(listed([stat(name, tree[name]) for name in names]))
        for name in sorted(tree):
            if isinstance(tree[name], dict):
                visit(path + b"/" + name if path else name, tree[name])
        out.close_folder(path)

    visit(b"", tree)
    return out.finish(Counts())


def write_known(folder, tree, size, believed):
    listing = write_listing(folder, tree, size, Known())
    with KnownWriter(folder / "known", Known()) as known:
        for comparison in compare(listing, Known()):
            known.begin(comparison.path)
            for part in comparison.parts():
                entries = [
                    Entry(one, subtree=b"r" * 32) if one.type is FOLDER else Entry(one) for one in part.listed.decoded()
                ]
                node = encode_leaf(entries)
                fingerprint = part.listed.fingerprint if believed else b""
                known.add_leaf(Leaf(b"l" * 32, entries[0].name, node), entries, fingerprint)
            known.end(b"root of " + comparison.path)
        return known.finish().read()


def flat(tree, path=b""):
    """Every path with its stat."""
    found = {}
    for name, what in tree.items():
        at = path + b"/" + name if path else name
        found[at] = stat(name, what)
        if isinstance(what, dict):
            found |= flat(what, at)
    return found


def known_entries(part):
    """Every name of a part with what is known of it."""
    for piece in part.pieces():
        if isinstance(piece, NewStats):
            yield from ((one.name, None) for one in msgspec.msgpack.decode(piece.stats, type=list[Stat]))
            continue
        if not isinstance(piece, EncodedRun):
            yield piece[0].name, piece[1]
            continue
        node = splice_leaf([piece])
        for entry in leaf_entries(decode_node(node)):
            assert not entry.stat.unsettled
            yield entry.name, entry


@given(trees, trees, sizes, sizes, st.booleans())
def test_every_file_is_told_as_it_is(old, new, old_size, new_size, believed):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with write_known(folder, old, old_size, believed) as known:
            listing = write_listing(folder, new, new_size, known)
            before, now = flat(old), flat(new)
            told = {}
            for comparison in compare(listing, known):
                if isinstance(comparison, UnchangedFolders):
                    for old_folder in map(decode_folder, bodies_of(b"".join(comparison.frames))):
                        assert believed or not old_folder.parts
                        told |= {
                            place(old_folder.path, entry.stat.name): entry
                            for part in old_folder.parts
                            for entry in known.entries(part)
                        }
                if not isinstance(comparison, FolderComparison):
                    continue
                for part in comparison.parts():
                    if part.same is not None:
                        told |= {place(comparison.path, entry.stat.name): entry for entry in known.entries(part.same)}
                        continue
                    told |= {place(comparison.path, name): entry for name, entry in known_entries(part)}
                root, _ = comparison.end()
                was_folder = comparison.path == b"" or before.get(comparison.path, stat(b"", 0)).type is FOLDER
                assert root == (b"root of " + comparison.path if was_folder else b"")
            assert told.keys() == now.keys()
            for path, entry in told.items():
                assert (entry.stat if entry else None) == before.get(path)


@given(trees, trees, sizes, sizes, st.booleans())
def test_the_estimate_is_what_two_dictionaries_say(old, new, old_size, new_size, believed):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with write_known(folder, old, old_size, believed) as known:
            forecast = estimate(write_listing(folder, new, new_size, known), known, Events())
    before = {path: one for path, one in flat(old).items() if one.type is FILE}
    now = {path: one for path, one in flat(new).items() if one.type is FILE}
    changed = [path for path in now.keys() & before.keys() if now[path] != before[path]]
    added = now.keys() - before.keys()
    assert forecast.files_added == len(added)
    assert forecast.files_changed == len(changed)
    assert forecast.files_removed == len(before.keys() - now.keys())
    assert forecast.changed_bytes == sum(now[path].size for path in [*added, *changed])


@given(st.lists(st.lists(st.sampled_from([b"a", b"ab", b"a\x01", b"\xff" * 255]), max_size=3).map(tuple)))
def test_a_folder_comes_after_all_beneath_it(paths):
    ordered = sorted((b"/".join(path) for path in paths), key=order_key)
    for at, path in enumerate(ordered):
        assert not any(one.startswith(path + b"/") or (not path and one) for one in ordered[at + 1 :])


def test_every_fact_counts_when_asking_whether_a_file_changed():
    old = stat(b"x", 1)
    assert is_unchanged(old, old)
    for field in ("mode", "uid", "gid", "size", "mtime_ns", "ctime_ns", "inode", "nlink", "rdev"):
        assert not is_unchanged(old, msgspec.structs.replace(old, **{field: getattr(old, field) + 1}))
    assert not is_unchanged(old, msgspec.structs.replace(old, type=EntryType.FIFO))
    assert not is_unchanged(msgspec.structs.replace(old, unsettled=True), old)
    assert is_unchanged(old, msgspec.structs.replace(old, device=77))


@given(trees, sizes)
def test_a_tree_that_is_as_it_was_is_one_line(tree, size):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with write_known(folder, tree, size, True) as known:
            folders = 1 + sum(one.type is FOLDER for one in flat(tree).values())
            records = list(write_listing(folder, tree, size, known).records())
            assert records == [SameFolders(next(known.folders()).path, folders)]


def place(folder, name):
    return folder + b"/" + name if folder else name


@given(trees, trees, sizes)
def test_a_listing_says_whether_something_differs(old, new, size):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with write_known(folder, old, size, believed=True) as known:
            assert write_listing(folder, new, size, known).differs == (old != new)


@given(trees, trees)
def test_where_times_prove_nothing_only_another_number_of_parts_differs(old, new):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with write_known(folder, old, 1, believed=False) as known:
            before, now = counted(old), counted(new)
            is_other = any(before.get(path) != count for path, count in now.items())
            assert write_listing(folder, new, 1, known).differs == is_other


def counted(tree, path=b""):
    """Every folder with how many names are in it."""
    found = {path: len(tree)}
    for name, what in tree.items():
        if isinstance(what, dict):
            found |= counted(what, path + b"/" + name if path else name)
    return found
