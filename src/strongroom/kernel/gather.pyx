# cython: boundscheck=False, wraparound=False
"""Reading many small files of one folder, in C: one call for all of them, the interpreter lock given back.

What it means is written in gather_reference.py; nothing is decided here.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc

from strongroom.kernel.arguments import octets
from strongroom.kernel.gather_reference import UNREADABLE, checked

cdef extern from "gather_files.h":
    cdef struct sr_gathered:
        size_t begin, end
        int plain
        uint32_t uid, gid, flags
        uint64_t size, inode

    cdef struct sr_gathering:
        int folder
        const uint8_t *stats
        size_t size, at, most
        uint64_t limit
        uint32_t kept
        const uint64_t *avoided
        size_t avoided_count

    int sr_gather(sr_gathering *what, uint8_t *buffer, size_t room, sr_gathered *rows, size_t *count) nogil


def gather(folder, stats, start, buffer, *, most, limit, kept, avoided):
    """Read the small files of an opened folder; see gather_reference.gather."""
    cdef const uint8_t[::1] encoded = octets(stats)
    cdef const uint64_t[::1] inodes = checked(start, len(encoded), most, limit, avoided)
    cdef uint8_t[::1] room = buffer
    cdef size_t room_bytes = room.shape[0], count = 0, at
    cdef uint8_t *first = &room[0] if room_bytes else NULL
    cdef sr_gathering what
    cdef int outcome
    what.folder, what.size, what.at, what.most, what.limit = folder, encoded.shape[0], start, most, limit
    what.kept = kept
    what.stats = &encoded[0] if what.size else NULL
    what.avoided_count = inodes.shape[0]
    what.avoided = &inodes[0] if what.avoided_count else NULL
    cdef sr_gathered *rows = <sr_gathered *>malloc((what.most + 1) * sizeof(sr_gathered))
    try:
        if rows is NULL:
            raise MemoryError
        with nogil:
            outcome = sr_gather(&what, first, room_bytes, rows, &count)
        if outcome:
            raise ValueError(UNREADABLE)
        return [told(&rows[at]) for at in range(count)], what.at
    finally:
        free(rows)


cdef object told(sr_gathered *row):
    """Say of one file what was seen, or that it is not plain."""
    if not row.plain:
        return (row.begin, row.end, -1, 0, 0, 0, 0)
    return (row.begin, row.end, row.size, row.uid, row.gid, row.inode, row.flags)
