# cython: boundscheck=False, wraparound=False
"""The walk in C: checks what it is given, gives back the interpreter lock, and makes Python's objects of the answer.

What each function means is written in walk_reference.py; nothing is decided here.
"""

import os

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.errno cimport ENOMEM
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free

from strongroom.kernel.walk_reference import Look, Part, require_packed

cdef extern from "look.h":
    enum: SR_FOLDER, SR_CROSSING, SR_FOREIGN, SR_TOO_MANY, SR_MOST_LIMITS

    cdef struct sr_names:
        char *packed
        size_t size
        int is_text

    cdef struct sr_part:
        size_t first, first_size, last, last_size, begin, end
        uint32_t entries, files
        int is_settled

    cdef struct sr_seen:
        size_t at, size
        int what

    cdef struct sr_look_t "sr_look":
        size_t next
        uint8_t *encoded
        size_t used
        sr_part *parts
        size_t part_count
        sr_seen *seen
        size_t seen_count
        uint64_t files, bytes_low, bytes_high
        uint64_t[16] histogram

    cdef struct sr_question:
        int handle
        const char *names
        size_t size, start, most
        int64_t now_ns
        uint64_t device
        const uint64_t *limits
        size_t limit_count

    int sr_list_names(int handle, size_t most, sr_names *names) nogil
    int sr_look(const sr_question *question, sr_look_t *look) nogil


def list_names(int handle, size_t most=0):
    """Read the names of an open folder; see walk_reference.list_names."""
    cdef sr_names names
    cdef int trouble
    with nogil:
        trouble = sr_list_names(handle, most, &names)
    try:
        if trouble == SR_TOO_MANY:
            return None
        _require_none(trouble)
        return PyBytes_FromStringAndSize(names.packed, names.size), bool(names.is_text)
    finally:
        free(names.packed)


def look(int handle, bytes names, size_t start, *, size_t most, int64_t now_ns, uint64_t device, limits):
    """Look at names; see walk_reference.look."""
    require_packed(names, start, most, limits)
    cdef uint64_t[SR_MOST_LIMITS] bounds
    for i, limit in enumerate(limits):
        bounds[i] = limit
    cdef sr_question question = sr_question(
        handle=handle, names=names, size=len(names), start=start, most=most, now_ns=now_ns, device=device,
        limits=&bounds[0], limit_count=len(limits),
    )
    cdef sr_look_t found
    cdef int trouble
    with nogil:
        trouble = sr_look(&question, &found)
    try:
        _require_none(trouble)
        return _answer(names, len(limits) + 1, &found)
    finally:
        free(found.encoded)
        free(found.parts)
        free(found.seen)


cdef _answer(const char *names, size_t classes, sr_look_t *found):
    cdef list parts = [], folders = [], foreign = [], failed = []
    cdef sr_part *part
    cdef sr_seen *seen
    cdef size_t i
    for i in range(found.part_count):
        part = &found.parts[i]
        parts.append(Part(
            names[part.first:part.first + part.first_size], names[part.last:part.last + part.last_size], part.files,
            bool(part.is_settled), PyBytes_FromStringAndSize(<char *>found.encoded + part.begin, part.end - part.begin),
        ))
    for i in range(found.seen_count):
        seen = &found.seen[i]
        name = names[seen.at:seen.at + seen.size]
        if seen.what == SR_FOLDER or seen.what == SR_CROSSING:
            folders.append((name, seen.what == SR_CROSSING))
        elif seen.what == SR_FOREIGN:
            foreign.append(name)
        else:
            failed.append((name, seen.what))
    size = (<object>found.bytes_high << 64) + found.bytes_low
    histogram = [found.histogram[i] for i in range(classes)]
    return Look(found.next, parts, folders, foreign, failed, found.files, size, histogram)


cdef _require_none(int trouble):
    if trouble == ENOMEM:
        raise MemoryError("The names of a folder do not fit into memory.")
    if trouble:
        raise OSError(trouble, os.strerror(trouble))
