/* Cutting data into chunks by content; reference.py defines what it must answer. */

#ifndef STRONGROOM_CUT_H
#define STRONGROOM_CUT_H

#include <stddef.h>
#include <stdint.h>

struct sr_cutter {
    uint64_t gear[256];
    uint64_t strict; /* a hash below it ends a chunk before `average` bytes ... */
    uint64_t loose;  /* ... and a hash below this one, after them */
    size_t minimum;
    size_t average;
    size_t maximum;
};

/* Read 2048 bytes, 256 little-endian numbers, into the gear of a cutter. */
void sr_load_gear(struct sr_cutter *cutter, const uint8_t *table);

/* Write the ends of at most `room` chunks, the first of which begins at `start`, and return how many were written.
 * Fewer than `room` means that the data is used up. With `final`, the rest of the data is the last chunk. */
size_t sr_cut(const struct sr_cutter *cutter, const uint8_t *data, size_t length, size_t start, int final, size_t *ends,
              size_t room);

#endif
