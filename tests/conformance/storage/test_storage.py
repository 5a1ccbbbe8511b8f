"""What every storage must keep, whatever lies under it: the contract of `engine.vault.storage.base`."""

import threading

import pytest

from strongroom.engine.vault.storage.local import LocalStorage
from strongroom.errors import Conflict, Damaged, Mistake, NotFound
from strongroom.testing.faulty_storage import FaultyStorage, Fuse
from strongroom.testing.memory_storage import MemoryStorage

STORAGES = {
    "local": lambda tmp_path: LocalStorage(tmp_path / "vault"),
    "memory": lambda tmp_path: MemoryStorage(),
    "faulty": lambda tmp_path: FaultyStorage(MemoryStorage(), Fuse()),
}
BAD_NAMES = [
    "",
    "/",
    "a/",
    "/a",
    "a//b",
    "..",
    "a/../b",
    "../a",
    ".hidden",
    "a/.b",
    "A",
    "a b",
    "a\n",
    "a\0b",
    "ä",
    "a..b",
]


@pytest.fixture(params=STORAGES)
def storage(request, tmp_path):
    made = STORAGES[request.param](tmp_path)
    made.claim()
    yield made
    made.close()


def test_what_was_put_is_read_back_whole_and_in_parts(storage):
    storage.put("packs/ab/abcd", [b"hello ", bytearray(b"world"), memoryview(b"!")])
    assert storage.exists("packs/ab/abcd")
    assert storage.size("packs/ab/abcd") == 12
    assert storage.read("packs/ab/abcd", 0, 12) == b"hello world!"
    assert storage.read("packs/ab/abcd", 6, 5) == b"world"
    assert storage.read("packs/ab/abcd", 12, 0) == b""
    assert bytes(storage.view("packs/ab/abcd")) == b"hello world!"


def test_an_empty_object_is_an_object(storage):
    storage.put("empty", [])
    assert storage.exists("empty")
    assert storage.size("empty") == 0
    assert bytes(storage.view("empty")) == b""


@pytest.mark.parametrize("is_read_soon", [True, False])
def test_large_parts_arrive_whole(storage, is_read_soon):
    parts = [bytes([number]) * (3 << 20) for number in range(5)]
    draft = storage.draft(is_read_soon=is_read_soon)
    draft.write(*parts, b"", b"end")
    draft.publish("large")
    assert storage.read("large", 0, storage.size("large")) == b"".join(parts) + b"end"


def test_a_draft_is_no_object_until_it_is_published(storage):
    draft = storage.draft()
    draft.write(b"data")
    assert not storage.exists("packs/aa/x")
    assert list(storage.names("packs/")) == []
    draft.publish("packs/aa/x")
    assert list(storage.names("packs/")) == ["packs/aa/x"]


@pytest.mark.parametrize("is_read_soon", [True, False])
def test_a_discarded_draft_leaves_nothing(storage, is_read_soon):
    draft = storage.draft(is_read_soon=is_read_soon)
    draft.write(b"data")
    draft.discard()
    draft.discard()
    assert list(storage.names("packs/")) == []


@pytest.mark.parametrize("is_read_soon", [True, False])
def test_many_drafts_grow_side_by_side(storage, is_read_soon):
    drafts = [storage.draft(is_read_soon=is_read_soon) for _ in range(20)]
    for size in (1, 3 << 20, 5000):
        for number, draft in enumerate(drafts):
            draft.write(bytes([number]) * size)
    for number, draft in enumerate(drafts):
        draft.publish(f"packs/{number}")
    size = 1 + (3 << 20) + 5000
    for number in range(20):
        assert storage.size(f"packs/{number}") == size
        assert storage.read(f"packs/{number}", 0, size) == bytes([number]) * size


def test_drafts_that_end_early_do_not_disturb_the_next(storage):
    for number in range(20):
        draft = storage.draft(is_read_soon=False)
        draft.write(b"x" * ((2 << 20) + 7 + number))
        draft.discard() if number % 2 else draft.publish(f"packs/{number}")
    for number in range(0, 20, 2):
        assert storage.size(f"packs/{number}") == (2 << 20) + 7 + number


def test_a_name_that_is_taken_keeps_its_content(storage):
    storage.put("packs/aa/x", [b"first"])
    storage.put("packs/aa/x", [b"second"])
    assert storage.read("packs/aa/x", 0, 5) == b"first"
    assert list(storage.names("packs/")) == ["packs/aa/x"]


def test_only_what_can_be_rebuilt_is_replaced_or_discarded(storage):
    for name in ("index/0-1", "notes/7"):
        storage.put(name, [b"first"])
        storage.put(name, [b"second"], replace=True)
        assert storage.read(name, 0, 6) == b"second"
        storage.discard(name)
        storage.discard(name)
        assert not storage.exists(name)
    storage.put("packs/aa/x", [b"data"])
    with pytest.raises(Mistake) as refused:
        storage.put("packs/aa/x", [b"other"], replace=True)
    assert refused.value.code == "write_once"
    with pytest.raises(Mistake):
        storage.discard("packs/aa/x")
    assert storage.read("packs/aa/x", 0, 4) == b"data"


def test_a_view_outlives_its_object(storage):
    storage.put("index/0-1", [b"still here" * 1000])
    view = storage.view("index/0-1")
    storage.discard("index/0-1")
    assert bytes(view[:10]) == b"still here"


def test_reading_past_the_end_is_damage(storage):
    storage.put("packs/aa/x", [b"short"])
    with pytest.raises(Damaged) as damaged:
        storage.read("packs/aa/x", 3, 10)
    assert damaged.value.code == "cut_short"


@pytest.mark.parametrize("method", ["read", "view", "size"])
def test_what_is_not_there_is_not_found(storage, method):
    arguments = {"read": ("packs/aa/x", 0, 1), "view": ("packs/aa/x",), "size": ("packs/aa/x",)}[method]
    with pytest.raises(NotFound):
        getattr(storage, method)(*arguments)


def test_names_are_those_below_the_folder(storage):
    for name in ("packs/aa/x", "packs/ab/y", "snapshots/1/z", "vault.json"):
        storage.put(name, [b"data"])
    assert sorted(storage.names("packs/")) == ["packs/aa/x", "packs/ab/y"]
    assert sorted(storage.names("snapshots/1/")) == ["snapshots/1/z"]
    assert sorted(storage.names("nothing/")) == []


@pytest.mark.parametrize("name", BAD_NAMES)
def test_names_that_are_not_plain_are_refused(storage, name):
    with pytest.raises(Mistake) as refused:
        storage.put(name, [b"data"])
    assert refused.value.code == "bad_name"
    with pytest.raises(Mistake):
        storage.read(name, 0, 1)
    with pytest.raises(Mistake):
        storage.exists(name)


def test_only_one_may_claim_it(storage, tmp_path):
    other = LocalStorage(tmp_path / "vault") if isinstance(storage, LocalStorage) else storage
    with pytest.raises(Conflict) as refused:
        other.claim()
    assert refused.value.code == "vault_in_use"
    storage.close()
    other.claim()
    other.close()


def test_writers_of_the_same_name_do_not_meet(storage):
    threads = [
        threading.Thread(target=storage.put, args=(f"packs/{number % 7:02}/same", [bytes([number % 7]) * 1000]))
        for number in range(35)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(7):
        assert storage.read(f"packs/{number:02}/same", 0, 1000) == bytes([number]) * 1000
    assert len(list(storage.names("packs/"))) == 7
