# cython: boundscheck=False, wraparound=False
"""Moving the rows of an index in C; what each function means is written in merge_reference.py."""

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uint32_t

from strongroom.kernel.arguments import octets
from strongroom.kernel.merge_reference import NO_ROW, TOO_LARGE, checked_rows, checked_shift

cdef extern from "rows.h":
    int sr_pick(const uint8_t *rows, size_t count, size_t bytes, const uint8_t *order, size_t asked, uint8_t *to) nogil
    int sr_shift(const uint8_t *numbers, size_t count, uint32_t by, uint8_t *to) nogil


def pick(rows, order, width):
    """Copy rows in an order; see merge_reference.pick."""
    checked_rows(rows, order, width)
    cdef const uint8_t[::1] source = octets(rows)
    cdef const uint8_t[::1] positions = octets(order)
    cdef size_t bytes_each = width
    cdef size_t count = source.shape[0] // bytes_each
    cdef size_t asked = positions.shape[0] // <size_t>4
    cdef bytes picked = PyBytes_FromStringAndSize(NULL, asked * bytes_each)
    cdef uint8_t *to = picked
    cdef int outcome = 0
    if asked:
        if not count:
            raise ValueError(NO_ROW)
        with nogil:
            outcome = sr_pick(&source[0], count, bytes_each, &positions[0], asked, to)
    if outcome:
        raise ValueError(NO_ROW)
    return picked


def shift(numbers, by):
    """Add to all numbers; see merge_reference.shift."""
    checked_shift(numbers, by)
    cdef const uint8_t[::1] source = octets(numbers)
    cdef size_t count = source.shape[0] // <size_t>4
    cdef uint32_t added = by
    cdef bytes shifted = PyBytes_FromStringAndSize(NULL, 4 * count)
    cdef uint8_t *to = shifted
    cdef int outcome = 0
    if count:
        with nogil:
            outcome = sr_shift(&source[0], count, added, to)
    if outcome:
        raise ValueError(TOO_LARGE)
    return shifted
