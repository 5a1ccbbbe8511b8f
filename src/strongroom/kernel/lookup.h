/* Finding ids in a sorted row of them; reference.py defines what it must answer. */

#ifndef STRONGROOM_LOOKUP_H
#define STRONGROOM_LOOKUP_H

#include <stddef.h>
#include <stdint.h>

#define SR_ID_BYTES 32
#define SR_ABSENT UINT32_MAX

/* The first eight bytes of an id as a number that sorts as the id does. */
static inline uint64_t sr_prefix(const uint8_t *id) {
    uint64_t prefix = 0;
    for (int i = 0; i < 8; i++) prefix = prefix << 8 | id[i];
    return prefix;
}

/* Write for each of `asked` probes its position among `count` sorted ids, as four little-endian bytes.
 * No byte outside the two buffers is read, whatever they hold. */
void sr_lookup(const uint8_t *ids, size_t count, const uint8_t *probes, size_t asked, uint8_t *positions);

/* Look up the probes whose place in `found` is still all ones, and set the place of each that is among the sorted ids to
 * `first` plus the little-endian 32-bit number of its row. Returns how many places are still all ones.
 * No byte outside the ids, `count` numbers and the probes is read, whatever they hold. */
size_t sr_fill_found(uint64_t *found, const uint8_t *ids, const uint8_t *numbers, size_t count, uint64_t first,
                     const uint8_t *probes, size_t asked);

/* Write a number as four little-endian bytes. */
static inline void sr_store_32(uint8_t *place, uint32_t number) {
    for (int i = 0; i < 4; i++) place[i] = (uint8_t)(number >> (8 * i));
}

/* Read a number of four little-endian bytes. */
static inline uint32_t sr_load_32(const uint8_t *place) {
    return (uint32_t)place[0] | (uint32_t)place[1] << 8 | (uint32_t)place[2] << 16 | (uint32_t)place[3] << 24;
}

#endif
