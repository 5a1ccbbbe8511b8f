/* Writing msgpack: https://github.com/msgpack/msgpack/blob/master/spec.md; always the shortest form. */

#ifndef STRONGROOM_MSGPACK_H
#define STRONGROOM_MSGPACK_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define SR_MOST_BEFORE_BYTES 5 /* what stands before bytes or the elements of an array, at most */

static inline uint8_t *put_big_endian(uint8_t *to, uint8_t mark, uint64_t value, int bytes) {
    *to++ = mark;
    for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) *to++ = (uint8_t)(value >> shift);
    return to;
}

static inline uint8_t *put_unsigned(uint8_t *to, uint64_t value) {
    if (value < 0x80) return *to++ = (uint8_t)value, to;
    if (value <= UINT8_MAX) return put_big_endian(to, 0xCC, value, 1);
    if (value <= UINT16_MAX) return put_big_endian(to, 0xCD, value, 2);
    if (value <= UINT32_MAX) return put_big_endian(to, 0xCE, value, 4);
    return put_big_endian(to, 0xCF, value, 8);
}

static inline uint8_t *put_negative(uint8_t *to, int64_t value) {
    if (value >= -32) return *to++ = (uint8_t)value, to;
    if (value >= INT8_MIN) return put_big_endian(to, 0xD0, (uint64_t)value, 1);
    if (value >= INT16_MIN) return put_big_endian(to, 0xD1, (uint64_t)value, 2);
    if (value >= INT32_MIN) return put_big_endian(to, 0xD2, (uint64_t)value, 4);
    return put_big_endian(to, 0xD3, (uint64_t)value, 8);
}

static inline uint8_t *put_bytes(uint8_t *to, const void *bytes, size_t size) {
    if (size <= UINT8_MAX)
        to = put_big_endian(to, 0xC4, size, 1);
    else
        to = size <= UINT16_MAX ? put_big_endian(to, 0xC5, size, 2) : put_big_endian(to, 0xC6, size, 4);
    if (size) memcpy(to, bytes, size);
    return to + size;
}

static inline uint8_t *put_array(uint8_t *to, size_t count) {
    if (count < 16) return *to++ = (uint8_t)(0x90 | count), to;
    return count <= UINT16_MAX ? put_big_endian(to, 0xDC, count, 2) : put_big_endian(to, 0xDD, count, 4);
}

#endif
