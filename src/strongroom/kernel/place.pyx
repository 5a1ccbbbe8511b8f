# cython: boundscheck=False, wraparound=False
"""Making many small files in many folders, in C: one call for all of them, the interpreter lock given back.

What it means is written in place_reference.py; nothing is decided here.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint32_t, uint8_t
from libc.stdlib cimport calloc, free

from strongroom.kernel.place_reference import DIRECT_BYTES, checked

cdef extern from "place_files.h":
    ctypedef struct sr_file:
        const char *name
        const uint8_t *data
        size_t size
        uint32_t mode, uid, gid
        int64_t mtime_s
        int64_t mtime_ns
        int outcome

    ctypedef struct sr_folder:
        const char *path
        size_t path_size
        const char *name
        sr_file *files
        size_t count

    void sr_place(int target, const char *temporary, int64_t atime_s, int64_t atime_ns, size_t direct_size,
                  sr_folder *folders, size_t count) nogil

cdef enum:
    SECOND = 1000000000


cdef class _Rows:
    """The rows that the C reads, and what they point into for as long as it does."""

    cdef sr_folder *folders
    cdef sr_file *files
    cdef Py_buffer *views
    cdef size_t held
    cdef list kept

    def __cinit__(self, size_t folders, size_t files):
        self.folders = <sr_folder *>calloc(folders + 1, sizeof(sr_folder))
        self.files = <sr_file *>calloc(files + 1, sizeof(sr_file))
        self.views = <Py_buffer *>calloc(files + 1, sizeof(Py_buffer))
        self.kept = []
        if self.folders is NULL or self.files is NULL or self.views is NULL:
            raise MemoryError

    def __dealloc__(self):
        cdef size_t at
        if self.views is not NULL:
            for at in range(self.held):
                PyBuffer_Release(&self.views[at])
        free(self.views)
        free(self.files)
        free(self.folders)

    cdef add_folder(self, size_t at, parts, files, is_new):
        cdef sr_folder *row = &self.folders[at]
        cdef list names = list(parts)
        cdef bytes name
        if is_new:
            name = names.pop()
            row.name = PyBytes_AS_STRING(name)
        cdef bytes path = b"".join([one + b"\0" for one in names])
        row.path = PyBytes_AS_STRING(path)
        row.path_size = PyBytes_GET_SIZE(path)
        self.kept.append((path, parts, files))
        row.files = &self.files[self.held]
        row.count = len(files)
        for own, content, mode, uid, gid, mtime_ns in files:
            self.add_file(own, content, mode, uid, gid, mtime_ns)

    cdef add_file(self, name, content, uint32_t mode, uint32_t uid, uint32_t gid, mtime_ns):
        cdef sr_file *row = &self.files[self.held]
        cdef Py_buffer *view = &self.views[self.held]
        row.name = PyBytes_AS_STRING(<bytes?>name)
        row.mode, row.uid, row.gid = mode, uid, gid
        row.mtime_s = mtime_ns // SECOND
        row.mtime_ns = mtime_ns % SECOND
        PyObject_GetBuffer(content, view, PyBUF_SIMPLE)
        self.held += 1
        row.data = <const uint8_t *>view.buf
        row.size = view.len

    cdef outcomes(self, size_t at):
        cdef sr_folder *row = &self.folders[at]
        cdef size_t number
        return [row.files[number].outcome for number in range(row.count)]


def place(target, folders, atime_ns, temporary):
    """Make files below an opened folder; see place_reference.place."""
    folders = [(tuple(parts), list(files), is_new) for parts, files, is_new in folders]
    checked(folders, temporary)
    cdef int handle = target
    cdef size_t count = len(folders), at
    cdef int64_t atime_s = atime_ns // SECOND
    cdef int64_t atime_rest = atime_ns % SECOND
    cdef size_t direct_size = DIRECT_BYTES
    cdef bytes beside = temporary
    cdef const char *first = PyBytes_AS_STRING(beside)
    cdef _Rows rows = _Rows(count, sum([len(files) for _, files, _ in folders]))
    for at, (parts, files, is_new) in enumerate(folders):
        rows.add_folder(at, parts, files, is_new)
    with nogil:
        sr_place(handle, first, atime_s, atime_rest, direct_size, rows.folders, count)
    return [rows.outcomes(at) for at in range(count)]
