# cython: boundscheck=False, wraparound=False
"""Tours in C: checks what it is given, gives back the interpreter lock, and makes Python's objects of the answer.

What each function means is written in tour_reference.py and pass_reference.py; nothing is decided here.
"""

import os

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.errno cimport ENOMEM
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.stdlib cimport free, malloc

from strongroom.kernel.pass_reference import Passed
from strongroom.kernel.tour_reference import Tour, require_tour

cdef extern from "tour.h":
    enum: SR_MOST_LIMITS

    cdef struct sr_mark:
        const char *begin
        const char *end
        size_t begin_size, end_size

    cdef struct sr_tour_question:
        int handle
        const char *path
        const char *names
        size_t path_size, names_size, most, most_names, longest_path, levels
        int64_t until_ns, now_ns
        uint64_t device
        int any_names
        const sr_mark *marks
        size_t mark_count
        const uint64_t *limits
        size_t limit_count

    cdef struct sr_tour_t "sr_tour":
        uint8_t *told
        size_t size
        uint64_t folders, files, bytes_low, bytes_high
        uint64_t[16] histogram

    cdef struct sr_passing:
        size_t told, known, folders, begun

    int sr_tour(const sr_tour_question *question, sr_tour_t *tour) nogil
    void sr_pass(const uint8_t *told, size_t told_size, const uint8_t *known, size_t known_size, sr_passing *at) nogil
    size_t sr_skip(const uint8_t *records, size_t size, size_t count, size_t *at) nogil


def tour(handle, bytes path, bytes names, extent, *, now_ns, device, limits):
    """Look into folders; see tour_reference.tour."""
    require_tour(names, limits)
    cdef uint64_t[SR_MOST_LIMITS] bounds
    for i, limit in enumerate(limits):
        bounds[i] = limit
    cdef list marks = list(extent.marks)  # what the C points into lives as long as this
    cdef sr_mark *marked = <sr_mark *>malloc(len(marks) * sizeof(sr_mark) + 1)
    cdef sr_tour_t found
    cdef sr_tour_question question
    cdef int trouble
    found.told = NULL
    try:
        if marked is NULL:
            raise MemoryError
        for i, (begin, end) in enumerate(marks):
            marked[i] = sr_mark(begin, NULL, len(begin), 0)
            if end is not None:
                marked[i].end, marked[i].end_size = end, len(end)
        question = sr_tour_question(
            handle=handle, path=path, path_size=len(path), names=names, names_size=len(names), most=extent.most,
            most_names=extent.most_names, longest_path=extent.longest_path, levels=extent.levels,
            until_ns=extent.until_ns, now_ns=now_ns, device=device, any_names=extent.any_names, marks=marked, mark_count=len(marks),
            limits=&bounds[0], limit_count=len(limits),
        )
        with nogil:
            trouble = sr_tour(&question, &found)
        if trouble == ENOMEM:
            raise MemoryError("What folders hold does not fit into memory.")
        if trouble:
            raise OSError(trouble, os.strerror(trouble))
        size = (<object>found.bytes_high << 64) + found.bytes_low
        histogram = [found.histogram[i] for i in range(len(limits) + 1)]
        told = PyBytes_FromStringAndSize(<char *>found.told, found.size)
        return Tour(told, found.folders, found.files, size, histogram)
    finally:
        free(marked)
        free(found.told)


def pass_known(bytes told, size_t told_at, bytes known, size_t known_at):
    """Pass by what is as it is known; see pass_reference.pass_known."""
    cdef sr_passing at = sr_passing(told=told_at, known=known_at, folders=0, begun=0)
    cdef const uint8_t *fresh = told
    cdef const uint8_t *old = known
    cdef size_t fresh_size = len(told), old_size = len(known)
    with nogil:
        sr_pass(fresh, fresh_size, old, old_size, &at)
    return Passed(at.told, at.known, at.folders, at.begun)


def skip(bytes records, size_t at, size_t count):
    """Pass by whole records; see pass_reference.skip."""
    cdef const uint8_t *rows = records
    cdef size_t size = len(records), skipped
    with nogil:
        skipped = sr_skip(rows, size, count, &at)
    return at, skipped
