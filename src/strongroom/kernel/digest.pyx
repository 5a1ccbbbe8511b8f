# cython: boundscheck=False, wraparound=False
"""Hashing many chunks at once in C; what it means is written in digest_reference.py."""

from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uint32_t

from array import array

from strongroom.kernel.digest_reference import checked

cdef extern from "blake3.h":
    int sr_digests(const uint8_t *key, const uint8_t *data, const uint32_t *sizes, size_t count, uint8_t *digests) nogil


def digests(data, sizes, key):
    """Hash inputs that lie end to end; see digest_reference.digests."""
    cdef const uint8_t[::1] octets
    cdef const uint8_t[::1] secret
    cdef const uint32_t[::1] lengths
    octets, lengths, secret = checked(data, sizes, key)
    cdef size_t count = lengths.shape[0]
    cdef bytes packed = PyBytes_FromStringAndSize(NULL, 32 * count)
    cdef uint8_t *answer = packed
    cdef int outcome
    if count == 0:
        return packed
    with nogil:
        outcome = sr_digests(&secret[0], &octets[0], &lengths[0], count, answer)
    if outcome:
        raise MemoryError("There is not enough memory to hash so many chunks at once.")
    return packed
