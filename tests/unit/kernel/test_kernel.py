"""The kernel as its callers meet it: which implementation runs, what buffers it takes, and what must never change."""

import array
import hashlib
import os
import random
import struct
import subprocess
import sys
import threading
from importlib import import_module

import pytest

from strongroom import kernel
from strongroom.kernel import digest, digest_reference, merge, merge_reference, native, reference, walk, walk_reference

PRODUCT = {"minimum": 1 << 18, "average": 1 << 20, "maximum": 1 << 22}
SMALL = {"minimum": 16, "average": 64, "maximum": 256}
TABLE = kernel.gear_table(bytes(range(32)))
both = pytest.mark.parametrize("implementation", [native, reference], ids=["native", "reference"])


def python(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


# Which implementation


def test_native_is_the_default():
    answer = python("from strongroom import kernel; print(kernel.IMPLEMENTATION)", STRONGROOM_KERNEL="")
    assert answer.stdout.strip() == "native"


def test_the_reference_runs_when_asked_for():
    code = "from strongroom import kernel; print(kernel.cut.__module__, kernel.sort_ids(bytes(32)))"
    answer = python(code, STRONGROOM_KERNEL="reference")
    assert answer.stdout.split() == ["strongroom.kernel.reference", r"b'\x00\x00\x00\x00'"]


def test_an_unknown_wish_is_refused():
    answer = python("import strongroom.kernel", STRONGROOM_KERNEL="fast")
    assert answer.returncode == 1
    assert "STRONGROOM_KERNEL is 'fast'; it may be 'native' or 'reference'." in answer.stderr


def test_a_missing_native_kernel_is_not_replaced_in_silence():
    code = "import sys; sys.modules['strongroom.kernel.native'] = None; import strongroom.kernel"
    answer = python(code, STRONGROOM_KERNEL="native")
    assert answer.returncode == 1
    assert "compiled kernel is missing" in answer.stderr


def test_both_offer_the_same_functions():
    parts = [(native, reference), (digest, digest_reference), (merge, merge_reference), (walk, walk_reference)]
    parts.append(tuple(import_module(f"strongroom.kernel.{name}") for name in ("join", "join_reference")))
    for name in kernel.__all__:
        if name not in ("IMPLEMENTATION", "gear_table"):
            assert any(callable(getattr(c, name, None)) and callable(getattr(py, name, None)) for c, py in parts), name


# The gear table


def test_the_gear_table_depends_on_the_whole_key():
    tables = {kernel.gear_table(bytes(at) + b"\x01" + bytes(31 - at)) for at in range(32)}
    assert len(tables) == 32
    assert all(len(table) == 2048 for table in tables)


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_gear_key_of_another_length_is_refused(length):
    with pytest.raises(ValueError, match="32 bytes"):
        kernel.gear_table(bytes(length))


# Cutting


@both
def test_boundaries_never_change(implementation):
    """Vaults in use were cut with these; another answer would store everything again."""
    content = random.Random(1).randbytes(200_000)
    ends = implementation.cut(content, TABLE, **SMALL, final=True)
    assert hashlib.sha256(TABLE).hexdigest() == GOLDEN_TABLE
    assert hashlib.sha256(struct.pack(f"<{len(ends)}Q", *ends)).hexdigest() == GOLDEN_ENDS


GOLDEN_TABLE = "5219c6def54823c858565dca899c4e3e5eac253e45e551c4bf1860402aa84310"
GOLDEN_ENDS = "e26b687eab30c763c8ca945c46b097e87cd05a4d4a89783bcbc9f966df04ba0d"


def test_the_c_cuts_as_the_definition_does_at_the_sizes_of_the_product():
    content = random.Random(2).randbytes(7 << 20)
    assert native.cut(content, TABLE, **PRODUCT, final=True) == reference.cut(content, TABLE, **PRODUCT, final=True)


def test_chunks_are_about_as_long_as_asked():
    content = random.Random(3).randbytes(1 << 20)
    limits = {"minimum": 256, "average": 1024, "maximum": 4096}
    mean = len(content) / len(native.cut(content, TABLE, **limits, final=True))
    assert 900 < mean < 1400


def test_a_byte_put_in_changes_the_chunks_around_it_only():
    content = random.Random(4).randbytes(1 << 20)
    limits = {"minimum": 256, "average": 1024, "maximum": 4096}

    def pieces(whole):
        ends = native.cut(whole, TABLE, **limits, final=True)
        return {whole[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)}

    middle = len(content) // 2
    changed = pieces(content[:middle] + b"!" + content[middle:]) - pieces(content)
    assert len(changed) <= 10


@both
def test_content_without_a_boundary_is_cut_at_the_maximum(implementation):
    table = struct.pack("<Q", 1 << 63) * 256  # the hash is 2**63 after each byte, below no limit
    assert implementation.cut(bytes(600), table, **SMALL, final=False) == [256, 512]
    assert implementation.cut(bytes(600), table, **SMALL, final=True) == [256, 512, 600]
    assert implementation.cut(bytes(512), table, **SMALL, final=True) == [256, 512]


@both
def test_no_data_has_no_chunks(implementation):
    assert implementation.cut(b"", TABLE, **SMALL, final=True) == []
    assert implementation.cut(b"", TABLE, **SMALL, final=False) == []


@both
def test_more_chunks_than_one_batch_are_all_found(implementation):
    limits = {"minimum": 1, "average": 8, "maximum": 9}
    ends = implementation.cut(bytes(20_000), bytes(2048), **limits, final=True)
    assert ends == list(range(2, 20_001, 2))


@both
@pytest.mark.parametrize(
    "limits",
    [
        {"minimum": 0, "average": 64, "maximum": 256},
        {"minimum": 64, "average": 64, "maximum": 256},
        {"minimum": 16, "average": 64, "maximum": 64},
        {"minimum": 16, "average": 65, "maximum": 256},
        {"minimum": 2, "average": 4, "maximum": 256},
        {"minimum": 16, "average": 64, "maximum": 1 << 31},
    ],
)
def test_sizes_out_of_order_are_refused(implementation, limits):
    with pytest.raises(ValueError, match=r"chunk size|Chunk sizes"):
        implementation.cut(b"content", TABLE, **limits, final=True)


@both
def test_a_table_of_another_length_is_refused(implementation):
    with pytest.raises(ValueError, match="2048 bytes"):
        implementation.cut(b"content", TABLE[:-1], **SMALL, final=True)


# Buffers


@both
def test_any_contiguous_buffer_will_do(implementation):
    content = random.Random(5).randbytes(4096)
    expected = implementation.cut(content, TABLE, **SMALL, final=True)
    buffers = [
        bytearray(content),
        memoryview(content),
        memoryview(b"xx" + content)[2:],
        array.array("Q", content),
        memoryview(content).cast("B", (64, 64)),
    ]
    assert [implementation.cut(buffer, bytearray(TABLE), **SMALL, final=True) for buffer in buffers] == [expected] * 5


@both
def test_a_buffer_with_gaps_is_refused(implementation):
    with pytest.raises(ValueError, match="contiguous"):
        implementation.cut(memoryview(bytes(4096))[::2], TABLE, **SMALL, final=True)


def test_the_interpreter_lock_is_given_back_while_cutting():
    content = bytes(256 << 20)
    limits = {"minimum": 1, "average": 1 << 29, "maximum": 1 << 30}
    cutting = threading.Thread(target=native.cut, args=(content, TABLE), kwargs={**limits, "final": True})
    cutting.start()
    turns = 0
    while cutting.is_alive():
        turns += 1
    assert turns > 1000


# Ids


@both
def test_no_ids_and_no_probes_are_fine(implementation):
    assert implementation.lookup(b"", b"") == b""
    assert implementation.lookup(b"", bytes(64)) == b"\xff" * 8
    assert implementation.lookup(bytes(64), b"") == b""
    assert implementation.sort_ids(b"") == b""


@both
def test_of_equal_ids_the_first_is_found(implementation):
    row = bytes(32) + b"\x05" * 96 + b"\xff" * 32
    assert implementation.lookup(row, b"\x05" * 32 + b"\xff" * 32 + bytes(32)) == struct.pack("<3I", 1, 4, 0)


def test_a_large_even_row_is_searched_and_sorted_right():
    rng = random.Random(6)
    packed = rng.randbytes(32 * 50_000)
    order = struct.unpack("<50000I", native.sort_ids(packed))
    row = [packed[32 * at : 32 * at + 32] for at in order]
    assert row == sorted(row)
    positions = list(range(50_000))
    rng.shuffle(positions)
    probes = b"".join(row[at] for at in positions) + rng.randbytes(32 * 1000)
    answer = struct.unpack("<51000I", native.lookup(b"".join(row), probes))
    assert list(answer) == positions + [0xFFFF_FFFF] * 1000
