# cython: boundscheck=False, wraparound=False
"""The kernel in C: checks what it is given, gives back the interpreter lock, and calls the loops.

What each function means is written in reference.py; nothing is decided here.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memcpy

from strongroom.kernel.arguments import ID_BYTES, checked_found, cut_limits, gear, octets, packed_ids, room_at

cdef extern from "cut.h":
    cdef struct sr_cutter:
        uint64_t strict, loose
        size_t minimum, average, maximum

    void sr_load_gear(sr_cutter *cutter, const uint8_t *table) nogil
    size_t sr_cut(const sr_cutter *cutter, const uint8_t *data, size_t length, size_t start, int final, size_t *ends,
                  size_t room) nogil

cdef extern from "lookup.h":
    void sr_lookup(const uint8_t *ids, size_t count, const uint8_t *probes, size_t asked, uint8_t *positions) nogil
    size_t sr_fill_found(uint64_t *found, const uint8_t *ids, const uint8_t *numbers, size_t count, uint64_t first,
                         const uint8_t *probes, size_t asked) nogil

cdef extern from "sort.h":
    int sr_sort_ids(const uint8_t *ids, size_t count, uint8_t *positions) nogil

cdef enum:
    ENDS_AT_ONCE = 512


def cut(data, table, *, minimum, average, maximum, final):
    """Find where the chunks in `data` end, by content; see reference.cut."""
    cdef sr_cutter cutter
    cutter.strict, cutter.loose = cut_limits(minimum, average, maximum)
    cutter.minimum, cutter.average, cutter.maximum = minimum, average, maximum
    cdef const uint8_t[::1] numbers = gear(table)
    sr_load_gear(&cutter, &numbers[0])

    cdef const uint8_t[::1] view = octets(data)
    cdef size_t length = view.shape[0]
    cdef int last = bool(final)
    cdef size_t[ENDS_AT_ONCE] found
    cdef size_t count = ENDS_AT_ONCE
    cdef size_t start = 0
    cdef list ends = []
    while count == ENDS_AT_ONCE and start < length:
        with nogil:
            count = sr_cut(&cutter, &view[0], length, start, last, found, ENDS_AT_ONCE)
        if count:
            ends.extend([found[i] for i in range(count)])
            start = found[count - 1]
    return ends


def copy_to(target, at, data):
    """Copy bytes to a place in others; see reference.copy_to."""
    cdef const uint8_t[::1] view = octets(data)
    cdef size_t size = view.shape[0]
    where = room_at(target, at, size)
    cdef uint8_t[::1] room
    if size:
        room = where
        with nogil:
            memcpy(&room[0], &view[0], size)


def lookup(ids, probes):
    """Find the positions of many ids in a sorted row of them; see reference.lookup."""
    cdef const uint8_t[::1] row = packed_ids(ids)
    cdef const uint8_t[::1] sought = packed_ids(probes)
    cdef size_t count = row.shape[0] // <size_t>ID_BYTES
    cdef size_t asked = sought.shape[0] // <size_t>ID_BYTES
    cdef bytes positions = PyBytes_FromStringAndSize(NULL, 4 * asked)
    cdef uint8_t *answer = positions
    with nogil:
        sr_lookup(&row[0], count, &sought[0], asked, answer)
    return positions


def fill_found(found, ids, numbers, first, probes):
    """Look up ids of which nothing was found yet; see reference.fill_found."""
    checked_found(found, ids, numbers, first, probes)
    cdef uint64_t[::1] places = found
    cdef const uint8_t[::1] row = packed_ids(ids)
    cdef const uint8_t[::1] column = octets(numbers)
    cdef const uint8_t[::1] sought = packed_ids(probes)
    cdef size_t count = row.shape[0] // <size_t>ID_BYTES
    cdef size_t asked = places.shape[0]
    cdef uint64_t base = first
    cdef size_t left = asked
    if asked:
        with nogil:
            left = sr_fill_found(&places[0], &row[0], &column[0], count, base, &sought[0], asked)
    return left


def sort_ids(ids):
    """Find the order that sorts ids; see reference.sort_ids."""
    cdef const uint8_t[::1] row = packed_ids(ids)
    cdef size_t count = row.shape[0] // <size_t>ID_BYTES
    cdef bytes positions = PyBytes_FromStringAndSize(NULL, 4 * count)
    cdef uint8_t *answer = positions
    cdef int outcome
    with nogil:
        outcome = sr_sort_ids(&row[0], count, answer)
    if outcome:
        raise MemoryError(f"Sorting {count} ids needs {32 * count} bytes of memory.")
    return positions
