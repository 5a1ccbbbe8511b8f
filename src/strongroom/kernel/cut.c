/* FastCDC (Xia et al., USENIX ATC 2016) over a keyed gear hash of 64 bits, as reference.py defines it.
 *
 * The loop is one chain of shift-and-add, so a byte costs about a cycle as long as nothing else is in its way: the
 * strict and the loose stretch are two calls of the same loop, and the bounds are fixed before it begins. */

#include "cut.h"

#define NO_BOUNDARY SIZE_MAX

static size_t min_size(size_t a, size_t b) { return a < b ? a : b; }

void sr_load_gear(struct sr_cutter *cutter, const uint8_t *table) {
    for (size_t i = 0; i < 256; i++) {
        uint64_t number = 0;
        for (size_t byte = 8; byte-- > 0;) number = number << 8 | table[8 * i + byte];
        cutter->gear[i] = number;
    }
}

/* Roll the hash over data[from, to) until it is below the limit; return the size of the chunk that ends there. */
static size_t roll(const uint64_t *gear, const uint8_t *data, size_t from, size_t to, uint64_t limit, uint64_t *hash) {
    uint64_t h = *hash;
    size_t i = from;
    for (; i + 4 <= to; i += 4) {
        h = 2 * h + gear[data[i]];
        if (h < limit) return i + 1;
        h = 2 * h + gear[data[i + 1]];
        if (h < limit) return i + 2;
        h = 2 * h + gear[data[i + 2]];
        if (h < limit) return i + 3;
        h = 2 * h + gear[data[i + 3]];
        if (h < limit) return i + 4;
    }
    for (; i < to; i++) {
        h = 2 * h + gear[data[i]];
        if (h < limit) return i + 1;
    }
    *hash = h;
    return NO_BOUNDARY;
}

/* Return the size of the chunk at the beginning of the data, or NO_BOUNDARY when there is not enough data to tell. */
static size_t first_chunk(const struct sr_cutter *cutter, const uint8_t *data, size_t length) {
    size_t average = min_size(length, cutter->average);
    size_t maximum = min_size(length, cutter->maximum);
    uint64_t hash = 0;
    size_t size = roll(cutter->gear, data, cutter->minimum, average, cutter->strict, &hash);
    if (size == NO_BOUNDARY) size = roll(cutter->gear, data, average, maximum, cutter->loose, &hash);
    if (size == NO_BOUNDARY && length >= cutter->maximum) size = cutter->maximum;
    return size;
}

size_t sr_cut(const struct sr_cutter *cutter, const uint8_t *data, size_t length, size_t start, int final, size_t *ends,
              size_t room) {
    size_t count = 0;
    while (start < length && count < room) {
        size_t size = first_chunk(cutter, data + start, length - start);
        if (size == NO_BOUNDARY) {
            if (!final) break;
            size = length - start;
        }
        start += size;
        ends[count++] = start;
    }
    return count;
}
