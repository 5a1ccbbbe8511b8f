/* Finding ids in a sorted row of them.
 *
 * Ids are hashes, so their values are spread evenly and a guess by proportion lands close: a few guesses replace most
 * of a binary search, which finishes the work and keeps it logarithmic on a row that is not even at all. */

#include "lookup.h"

#include <string.h>

#define GUESSES 8
#define NEAR 8

/* The stretch [low, high) of the row in which the first id not below the probe must be, or at whose end. */
struct stretch {
    size_t low;
    size_t high;
};

static int is_below(const uint8_t *id, const uint8_t *probe) { return memcmp(id, probe, SR_ID_BYTES) < 0; }

static struct stretch guess(const uint8_t *ids, size_t count, const uint8_t *probe) {
    struct stretch in = {0, count};
    uint64_t sought = sr_prefix(probe), below = 0, above = UINT64_MAX;
    for (int tries = 0; tries < GUESSES && in.high - in.low > NEAR && above > below; tries++) {
        double share = (double)(sought - below) / (double)(above - below);
        size_t offset = (size_t)(share * (double)(in.high - in.low));
        size_t at = offset < in.high - in.low ? in.low + offset : in.high - 1;
        const uint8_t *id = ids + SR_ID_BYTES * at;
        uint64_t found = sr_prefix(id);
        if (found < below || found > above) break; /* the row is out of order */
        if (is_below(id, probe)) {
            in.low = at + 1;
            below = found;
        } else {
            in.high = at;
            above = found;
        }
    }
    return in;
}

static uint32_t find(const uint8_t *ids, size_t count, const uint8_t *probe) {
    struct stretch in = guess(ids, count, probe);
    while (in.low < in.high) {
        size_t middle = in.low + (in.high - in.low) / 2;
        if (is_below(ids + SR_ID_BYTES * middle, probe))
            in.low = middle + 1;
        else
            in.high = middle;
    }
    int there = in.low < count && memcmp(ids + SR_ID_BYTES * in.low, probe, SR_ID_BYTES) == 0;
    return there ? (uint32_t)in.low : SR_ABSENT;
}

void sr_lookup(const uint8_t *ids, size_t count, const uint8_t *probes, size_t asked, uint8_t *positions) {
    for (size_t i = 0; i < asked; i++) sr_store_32(positions + 4 * i, find(ids, count, probes + SR_ID_BYTES * i));
}
