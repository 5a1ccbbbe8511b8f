# cython: boundscheck=False, wraparound=False
"""Making many small files in one folder, in C: one call for all of them, the interpreter lock given back.

What it means is written in place_reference.py; nothing is decided here.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdint cimport int64_t, uint32_t, uint8_t
from libc.stdlib cimport calloc, free

from strongroom.kernel.place_reference import checked

cdef extern from "place_files.h":
    ctypedef struct sr_file:
        const char *name
        const uint8_t *data
        size_t size
        uint32_t mode, uid, gid
        int64_t mtime_s
        int64_t mtime_ns
        int outcome

    void sr_place(int folder, const char *temporary, int64_t atime_s, int64_t atime_ns, sr_file *files,
                  size_t count) nogil

cdef enum:
    SECOND = 1000000000


def place(folder, files, atime_ns, temporary):
    """Make files in an opened folder; see place_reference.place."""
    files = list(files)  # what the C points into lives as long as this
    checked(files, temporary)
    cdef int handle = folder
    cdef size_t count = len(files), held = 0, at
    cdef int64_t atime_s = atime_ns // SECOND
    cdef int64_t atime_rest = atime_ns % SECOND
    cdef bytes beside = temporary
    cdef const char *first = PyBytes_AS_STRING(beside)
    cdef sr_file *rows = <sr_file *>calloc(count + 1, sizeof(sr_file))
    cdef Py_buffer *views = <Py_buffer *>calloc(count + 1, sizeof(Py_buffer))
    try:
        if rows is NULL or views is NULL:
            raise MemoryError
        for name, content, mode, uid, gid, mtime_ns in files:
            PyObject_GetBuffer(content, &views[held], PyBUF_SIMPLE)
            held += 1
            at = held - 1
            rows[at].name = PyBytes_AS_STRING(<bytes?>name)
            rows[at].data = <const uint8_t *>views[at].buf
            rows[at].size = views[at].len
            rows[at].mode, rows[at].uid, rows[at].gid = mode, uid, gid
            rows[at].mtime_s = mtime_ns // SECOND
            rows[at].mtime_ns = mtime_ns % SECOND
        with nogil:
            sr_place(handle, first, atime_s, atime_rest, rows, count)
        return [rows[at].outcome for at in range(count)]
    finally:
        for at in range(held):
            PyBuffer_Release(&views[at])
        free(views)
        free(rows)
