"""Damage to the vault's files: it is found and named, nothing wrong is ever restored, and the next backup heals it."""

import pytest

from tests.compare_trees import compare
from tests.system.packs import DATA, TREE, flip, flipped, packs_of, places_in
from tests.system.site import write_noise

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.timeout(300)]
MIB = 1 << 20


@pytest.fixture
def a_set(site, request):
    """Make a tree of its own for a test and back it up; give the tree, the job, and the packs that it brought."""
    before = set(packs_of(site))
    name = request.node.name.removeprefix("test_")[-40:].strip("[]")
    tree = site.folder / name
    (tree / "sub").mkdir(parents=True)
    for number in range(6):
        write_noise(tree / f"large {number}", 2 * MIB, seed=len(before) * 100 + number)
    for number in range(50):
        (tree / "sub" / f"small {number}").write_text(f"{name} {number}\n" * 50)
    site.protect(name, tree)
    job = site.back_up(name)
    brought = [pack for pack in packs_of(site) if pack not in before]
    kinds = {kind: [pack for pack in brought if pack in packs_of(site, kind)] for kind in (DATA, TREE)}
    return tree, job, kinds


def found(site, *words, code=3):
    """Check the vault; give the names of what is damaged, each with the snapshots it hits."""
    report = site.cli("vault", "check", *words, expect=(code,))
    assert report["ok"] == (code == 0)
    return {item["name"]: item["snapshots"] for item in report["damaged"]}


@pytest.mark.parametrize("kind", [DATA, TREE])
def test_one_changed_bit_anywhere_in_a_pack_is_named_with_the_snapshots_it_hits(site, a_set, kind):
    """In each part of a data pack and of a tree pack; put right again, all is well again."""
    _, job, brought = a_set
    (pack,) = brought[kind]
    expected = (pack.name, [job["snapshot_id"]])
    for part, place in places_in(pack).items():
        with flipped(pack, place):
            report = site.api.send("vault", "check", body={"read_data": True})
            assert [(item["name"], item["snapshots"]) for item in report["damaged"]] == [expected], part
        assert site.api.send("vault", "check", body={"read_data": True})["ok"], part


def test_a_missing_pack_is_named_without_reading_any_data(site, a_set, tmp_path):
    """The quick check is enough for a pack that is gone; a person reads its name and the snapshot's."""
    _, job, brought = a_set
    (pack,) = brought[DATA]
    kept = pack.rename(tmp_path / "kept")
    assert found(site) == {pack.name: [job["snapshot_id"]]}
    said = site.cli("vault", "check", json=False, expect=(3,))
    assert pack.name in said
    assert job["snapshot_id"][:12] in said
    kept.rename(pack)
    assert found(site, "--read-data", code=0) == {}


def test_a_restore_from_a_damaged_data_pack_lists_the_files_and_writes_no_wrong_byte(site, a_set):
    """Files that need the damaged block are listed; all others are there, and nothing else is."""
    tree, job, brought = a_set
    (pack,) = brought[DATA]
    target = site.folder / "out" / tree.name
    with flipped(pack, places_in(pack)["block"]):
        restored = site.restore(job["snapshot_id"], str(tree), "--to", str(target), expect=1)
    assert restored["state"] == "successful_with_errors"
    missed = site.missed(restored)
    assert missed
    assert set(missed.values()) == {"read_error"}
    assert restored["restore"]["files_failed"] == len(missed)
    lost = {path.removeprefix(f"{target / tree.name}/") for path in missed}
    assert_only_right_files(tree, target / tree.name, lost=lost)
    found(site, "--read-data", code=0)


def test_a_restore_from_a_damaged_tree_pack_says_so_and_writes_no_wrong_byte(site, a_set):
    """Without its folders nobody knows what there was: the job fails, or names what it could not read."""
    tree, job, brought = a_set
    (pack,) = brought[TREE]
    target = site.folder / "out" / tree.name
    for part in ("block", "trailer"):
        with flipped(pack, places_in(pack)[part]):
            found(site, "--read-data")
            restored = site.run("restore", job["snapshot_id"], str(tree), "--to", str(target), "--wait")
            assert restored.returncode == 3
            assert f"The pack {pack.name} is damaged" in restored.stderr
            assert "vault check" in restored.stderr
        assert not target.exists()
        found(site, "--read-data", code=0)
    site.restore(job["snapshot_id"], str(tree), "--to", str(target))
    assert compare(tree, target / tree.name) == []


@pytest.mark.parametrize("kind", [DATA, TREE])
def test_the_next_backup_heals_what_is_damaged(site, a_set, kind):
    """What the check found is sent again; then the new snapshot is whole, and the old one as far as they agree."""
    tree, job, brought = a_set
    (pack,) = brought[kind]
    flip(pack, places_in(pack)["block"])
    assert found(site, "--read-data") == {pack.name: [job["snapshot_id"]]}
    healed = site.back_up(tree.name)
    assert healed["state"] == "successful"
    if kind == DATA:
        assert healed["transfer"]["bytes_sent"] > 10 * MIB
    still_hit = found(site, "--read-data")[pack.name]
    assert healed["snapshot_id"] not in still_hit
    if kind == DATA:
        assert still_hit == []
    for snapshot in {healed["snapshot_id"], job["snapshot_id"]} - set(still_hit):
        target = site.folder / f"out of {snapshot}" / tree.name
        site.restore(snapshot, str(tree), "--to", str(target))
        assert compare(tree, target / tree.name) == []
    again = site.back_up(tree.name)
    assert (again["kind"], again["transfer"]["bytes_sent"]) == ("incremental", 0)
    flip(pack, places_in(pack)["block"])
    found(site, "--read-data", code=0)


def assert_only_right_files(tree, copy, *, lost):
    """Every file of the copy has the original's bytes, and all are there but the lost ones."""
    there = {str(path.relative_to(copy)) for path in copy.rglob("*") if path.is_file()}
    assert there == {str(path.relative_to(tree)) for path in tree.rglob("*") if path.is_file()} - lost
    assert all((copy / name).read_bytes() == (tree / name).read_bytes() for name in there)
