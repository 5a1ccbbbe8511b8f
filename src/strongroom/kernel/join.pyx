# cython: boundscheck=False, wraparound=False
"""The join of a folder part as it was with the part as it is, in C; what it means is written in join_reference.py."""

from libc.stdint cimport uint8_t, uint32_t
from libc.stdlib cimport free

from strongroom.kernel.arguments import octets
from strongroom.kernel.join_reference import Row

cdef extern from "join_parts.h":
    enum: SR_NO_MEMORY

    cdef struct sr_row:
        uint32_t same
        size_t old, old_end, tree, tree_end, data, data_end, next "new", new_end

    cdef struct sr_rows:
        sr_row *rows
        size_t count, tree, data

    int sr_join(const uint8_t *entries, size_t entries_size, const uint8_t *stats, size_t stats_size,
                sr_rows *rows) nogil


def join(entries, stats):
    """Join encoded entries with encoded stats; see join_reference.join."""
    cdef const uint8_t[::1] old = octets(entries)
    cdef const uint8_t[::1] now = octets(stats)
    cdef size_t old_size = old.shape[0], now_size = now.shape[0], at
    cdef const uint8_t *old_bytes = &old[0] if old_size else NULL
    cdef const uint8_t *now_bytes = &now[0] if now_size else NULL
    cdef sr_rows found
    cdef int outcome
    with nogil:
        outcome = sr_join(old_bytes, old_size, now_bytes, now_size, &found)
    try:
        if outcome == SR_NO_MEMORY:
            raise MemoryError
        if outcome:
            return None
        return [told(&found.rows[at]) for at in range(found.count)], found.tree, found.data
    finally:
        free(found.rows)


cdef object told(sr_row *row):
    """Return a row as Python has it."""
    return Row(row.same, row.old, row.old_end, row.tree, row.tree_end, row.data, row.data_end, row.next, row.new_end)
