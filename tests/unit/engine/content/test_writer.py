"""The writer's dealings with its sink: order, limits, errors, and threads that are gone afterwards."""

import random
import threading

import pytest

from strongroom.engine.content.reader import SnapshotReader
from strongroom.engine.content.uploads import BATCH_BYTES, PARCEL_BYTES
from strongroom.engine.content.writer import Leaf, SnapshotWriter
from strongroom.engine.format.block import MAX_PLAIN_BYTES
from strongroom.engine.format.tree import decode_node, leaf_entries
from strongroom.errors import Conflict, Damaged, Mistake, Unavailable
from strongroom.model.entry import Entry, EntryType, Stat
from strongroom.testing.memory_sink import MemorySink
from tests.property.strategies import KEYS, plain_file, split_parts

MIB = 1 << 20


def noise(size, seed=1):
    return random.Random(seed).randbytes(size)


def write_noise(sink, mebibytes):
    with SnapshotWriter(KEYS, sink) as writer:
        for seed in range(mebibytes):
            writer.add_bytes(noise(MIB, seed))
        writer.finish()


def uploader_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("uploader")]


@pytest.fixture(autouse=True)
def no_thread_stays():
    yield
    assert uploader_threads() == []


class BrokenSink(MemorySink):
    """Works for some calls, then refuses all further ones."""

    def __init__(self, calls, error):
        super().__init__(KEYS.key_ids)
        self.left = calls
        self.error = error

    def missing(self, ids):
        self.use()
        return super().missing(ids)

    def put(self, blocks):
        self.use()
        return super().put(blocks)

    def use(self):
        if self.left == 0:
            raise self.error
        self.left -= 1


@pytest.mark.parametrize("calls", [0, 1, 2, 5])
@pytest.mark.parametrize("error", [Unavailable("The line is cut."), Damaged("No."), MemoryError(), SystemExit(3)])
def test_the_first_error_of_an_uploader_reaches_the_caller(calls, error):
    sink = BrokenSink(calls, error)
    with pytest.raises(type(error)) as caught:
        write_noise(sink, 80)
    assert caught.value is error
    assert sink.left == 0


def test_after_an_error_nothing_more_is_taken():
    error = Unavailable("The line is cut.")
    with SnapshotWriter(KEYS, BrokenSink(0, error)) as writer:
        writer.add_bytes(noise(100))
        for _ in range(2):
            with pytest.raises(Unavailable):
                writer.finish()


def test_an_error_while_the_caller_waits_for_room_frees_it():
    """All uploaders are in a call that fails only once the queue behind them is full."""
    is_full = threading.Event()

    class SlowSink(MemorySink):
        def missing(self, ids):
            is_full.wait()
            raise Unavailable("The line is cut.")

    releaser = threading.Timer(0.2, is_full.set)
    releaser.start()
    with pytest.raises(Unavailable):
        write_noise(SlowSink(KEYS.key_ids), 200)
    releaser.join()


def test_who_gives_up_does_not_wait_for_the_answer_to_a_parcel():
    class SilentSink(MemorySink):
        def put(self, blocks):
            is_put.set()
            answer.wait()
            return super().put(blocks)

    def give_up():
        with SnapshotWriter(KEYS, SilentSink(KEYS.key_ids, knows_nothing=True)) as writer:
            for seed in range(6):
                writer.add_bytes(noise(MIB, seed))
            is_put.wait()
            raise KeyboardInterrupt

    is_put, answer = threading.Event(), threading.Event()
    with pytest.raises(KeyboardInterrupt):
        give_up()
    answer.set()
    for thread in uploader_threads():
        thread.join()


def test_an_error_of_the_caller_ends_the_threads_and_drops_what_waits():
    def interrupted():
        with SnapshotWriter(KEYS, sink) as writer:
            writer.add_bytes(b"not sent")
            raise KeyboardInterrupt

    sink = MemorySink(KEYS.key_ids)
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert sink.chunks == {}


def test_an_error_of_the_source_passes_through_and_the_writer_goes_on():
    def broken(buffer):
        raise OSError(5, "Input/output error")

    sink = MemorySink(KEYS.key_ids)
    with SnapshotWriter(KEYS, sink) as writer:
        with pytest.raises(OSError, match="Input/output"):
            writer.add_stream(broken)
        content = writer.add_bytes(noise(3 * MIB))
        writer.finish()
        root = writer.add_folder([[plain_file(b"f", content)]])
        writer.finish()
    assert b"".join(SnapshotReader(sink, root).content(plain_file(b"f", content))) == noise(3 * MIB)


def test_a_writer_that_is_not_open_refuses():
    writer = SnapshotWriter(KEYS, MemorySink(KEYS.key_ids))
    with pytest.raises(Conflict):
        writer.finish()
    with writer:
        writer.finish()
    with pytest.raises(Conflict):
        writer.finish()


def test_memory_in_flight_is_bounded_when_the_sink_is_slow():
    gate = threading.Semaphore(0)
    given = 0

    class SlowSink(MemorySink):
        def put(self, blocks):
            gate.acquire()
            return super().put(blocks)

    sink = SlowSink(KEYS.key_ids, knows_nothing=True)
    most = 0
    with SnapshotWriter(KEYS, sink) as writer:
        done = threading.Event()

        def watch():
            """Let one parcel through whenever the caller has stood still for a moment."""
            while not done.wait(0.02):
                gate.release()

        watcher = threading.Thread(target=watch)
        watcher.start()
        for seed in range(120):
            writer.add_bytes(noise(MIB, seed))
            given += MIB
            most = max(most, given - sum(sink.parcels))
        writer.finish()
        done.set()
        watcher.join()
    assert most <= 48 * MIB


def test_missing_is_not_asked_of_a_sink_that_knows_nothing():
    sink = MemorySink(KEYS.key_ids, knows_nothing=True)
    with SnapshotWriter(KEYS, sink) as writer:
        for seed in range(20):
            writer.add_bytes(noise(100, seed))
        writer.finish()
    assert sink.asked == []
    assert len(sink.chunks) == 20


def test_missing_is_asked_in_large_batches_and_parcels_are_large():
    sink = MemorySink(KEYS.key_ids)
    with SnapshotWriter(KEYS, sink, uploaders=1) as writer:
        for seed in range(20_000):
            writer.add_bytes(noise(2000, seed))
        writer.finish()
    assert len(sink.asked) == -(-20_000 // (BATCH_BYTES // 2000))
    assert all(size >= PARCEL_BYTES for size in sink.parcels[:-1])
    assert all(size <= 12 * MIB for size in sink.parcels)


def test_the_few_new_chunks_among_many_known_ones_still_make_large_parcels():
    sink = MemorySink(KEYS.key_ids)
    for content in (range(300), range(0, 600, 2)):
        sink.parcels.clear()
        with SnapshotWriter(KEYS, sink, uploaders=1) as writer:
            for seed in content:
                writer.add_bytes(noise(100_000, seed))
            writer.finish()
    assert sum(sink.parcels) > 15_000_000
    assert all(size >= PARCEL_BYTES for size in sink.parcels[:-1])


def test_what_is_given_twice_is_sent_once():
    sink = MemorySink(KEYS.key_ids, knows_nothing=True)
    with SnapshotWriter(KEYS, sink) as writer:
        first = writer.add_bytes(noise(2 * MIB))
        assert writer.add_bytes(noise(2 * MIB)) == first
        writer.finish()
        writer.add_bytes(noise(2 * MIB))
        writer.finish()
        assert writer.counts.bytes_new == 2 * MIB


def test_equal_folders_are_one_node():
    sink = MemorySink(KEYS.key_ids)
    with SnapshotWriter(KEYS, sink) as writer:
        entry = plain_file(b"f", writer.add_bytes(b"same"))
        assert writer.add_folder([[entry]]) == writer.add_folder([[entry]])
        assert writer.add_folder([]) == writer.add_folder([[], []])
        writer.finish()
    assert len(sink.chunks) == 3


def test_a_known_leaf_is_taken_as_it_is():
    """A part that did not change is named by its node; it is not made, asked for or sent again."""
    part = [plain_file(b"%06d" % number, _nothing()) for number in range(3000)]
    sink = MemorySink(KEYS.key_ids)
    with SnapshotWriter(KEYS, sink) as writer:
        made = [leaf for one in split_parts(part) for leaf in writer.add_leaves(one)]
        root = writer.add_folder(made)
        writer.finish()
        assert root == writer.add_folder(Leaf(leaf.id, leaf.first_name) for leaf in made)
        assert root == writer.add_folder(split_parts(part))
    assert len(made) > 3
    assert [entry for leaf in made for entry in leaf_entries(decode_node(leaf.node))] == part
    assert list(SnapshotReader(sink, root).folder()) == part


@pytest.mark.parametrize("names", [[b"b", b"a"], [b"a", b"a"]])
def test_parts_out_of_order_are_refused(names):
    with SnapshotWriter(KEYS, MemorySink(KEYS.key_ids)) as writer, pytest.raises(Mistake):
        writer.add_folder([[plain_file(name, _nothing())] for name in names])


def test_a_part_of_very_large_entries_becomes_several_leaves():
    part = [large_entry(b"%04d" % number, 60_000) for number in range(100)]
    sink = MemorySink(KEYS.key_ids)
    with SnapshotWriter(KEYS, sink) as writer:
        root = writer.add_folder([part])
        writer.finish()
    assert list(SnapshotReader(sink, root).folder()) == part
    assert max(map(len, sink.chunks.values())) <= MIB
    assert all(block.plain_size <= MAX_PLAIN_BYTES for block in sink.blocks)


def test_an_entry_that_no_node_can_hold_is_a_mistake():
    with SnapshotWriter(KEYS, MemorySink(KEYS.key_ids)) as writer:
        writer.add_folder([[large_entry(b"just fits", 4 * MIB - 1000)]])
        with pytest.raises(Mistake) as caught:
            writer.add_folder([[large_entry(b"too large", 4 * MIB)]])
        assert caught.value.code == "entry_too_large"
        writer.finish()


def large_entry(name, size):
    return Entry(Stat(name, EntryType.SOCKET, 0o600, 0, 0, 0, 0, 0, 1), xattrs=((b"user.large", noise(size)),))


def _nothing():
    with SnapshotWriter(KEYS, MemorySink(KEYS.key_ids)) as writer:
        return writer.add_bytes(b"")
