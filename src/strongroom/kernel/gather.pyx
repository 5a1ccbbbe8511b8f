# cython: boundscheck=False, wraparound=False
"""Reading many small files of one folder, in C: one call for all of them, the interpreter lock given back.

What it means is written in gather_reference.py; nothing is decided here.
"""

from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc

from strongroom.kernel.gather_reference import checked

cdef extern from "gather_files.h":
    cdef struct sr_gathered:
        int plain
        uint32_t mode, uid, gid, flags
        uint64_t size, inode
        int64_t mtime_ns, ctime_ns

    size_t sr_gather(int folder, const char *const *names, size_t count, size_t limit, uint8_t *buffer, size_t room,
                     sr_gathered *rows) nogil


def gather(folder, names, buffer, limit):
    """Read the small files of an opened folder; see gather_reference.gather."""
    names = list(names)  # what the C points into lives as long as this
    checked(names, limit)
    cdef int handle = folder
    cdef size_t count = len(names), most = limit, done = 0, at
    cdef uint8_t[::1] room = buffer
    cdef size_t room_bytes = room.shape[0]
    cdef uint8_t *first = &room[0] if room_bytes else NULL
    cdef const char **places = <const char **>malloc((count + 1) * sizeof(char *))
    cdef sr_gathered *rows = <sr_gathered *>malloc((count + 1) * sizeof(sr_gathered))
    try:
        if places is NULL or rows is NULL:
            raise MemoryError
        for at in range(count):
            places[at] = PyBytes_AS_STRING(<bytes?>names[at])
        with nogil:
            done = sr_gather(handle, places, count, most, first, room_bytes, rows)
        return [told(&rows[at]) for at in range(done)]
    finally:
        free(places)
        free(rows)


cdef object told(sr_gathered *row):
    """Say of one file what was seen, or None."""
    if not row.plain:
        return None
    return (row.mode, row.uid, row.gid, row.size, row.mtime_ns, row.ctime_ns, row.inode, row.flags)
