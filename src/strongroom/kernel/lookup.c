/* Finding ids in a sorted row of them.
 *
 * Ids are hashes, so their values are spread evenly: how far off a guess is can be told from the row it hit, and two or
 * three guesses come within a few rows. From there a stretch is taken that grows until the id must lie in it, and a
 * binary search finishes the work; so it stays logarithmic on a row that is not even at all. */

#include "lookup.h"

#include <string.h>

#define GUESSES 4
#define NEAR 4
#define AHEAD 8
#define PREFIXES 18446744073709551616.0 /* 2^64 */

/* The stretch [low, high) of the row in which the first id not below the probe must be, or at whose end. */
struct stretch {
    size_t low;
    size_t high;
};

static int is_below(const uint8_t *id, const uint8_t *probe) {
    uint64_t left = sr_prefix(id), right = sr_prefix(probe);
    return left != right ? left < right : memcmp(id, probe, SR_ID_BYTES) < 0;
}

/* The row at a place that was reckoned, or the one next to it that there is; `count` is not 0. */
static size_t row_at(double place, size_t count) {
    if (!(place > 0)) return 0;
    return place < (double)(count - 1) ? (size_t)place : count - 1;
}

static size_t guess(const uint8_t *ids, size_t count, uint64_t sought) {
    double each = (double)count / PREFIXES;
    size_t at = row_at((double)sought * each, count);
    for (int tries = 0; tries < GUESSES; tries++) {
        double off = ((double)sought - (double)sr_prefix(ids + SR_ID_BYTES * at)) * each;
        if (off > -NEAR && off < NEAR) break;
        at = row_at((double)at + off, count);
    }
    return at;
}

static struct stretch around(const uint8_t *ids, size_t count, size_t at, const uint8_t *probe) {
    struct stretch in = {at, at};
    size_t step = NEAR;
    if (is_below(ids + SR_ID_BYTES * at, probe)) {
        do {
            in.low = in.high + 1;
            in.high = step < count - in.high ? in.high + step : count;
            step *= 2;
        } while (in.high < count && is_below(ids + SR_ID_BYTES * in.high, probe));
    } else {
        do {
            in.high = in.low;
            in.low = step < in.low ? in.low - step : 0;
            step *= 2;
        } while (in.low > 0 && !is_below(ids + SR_ID_BYTES * in.low, probe));
    }
    return in;
}

static uint32_t find(const uint8_t *ids, size_t count, const uint8_t *probe) {
    if (!count) return SR_ABSENT;
    struct stretch in = around(ids, count, guess(ids, count, sr_prefix(probe)), probe);
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

/* Look-ups wait for memory most of the time: have the row of a first guess fetched while others are compared. */
static void expect(const uint8_t *ids, size_t count, const uint8_t *probe) {
    if (count) __builtin_prefetch(ids + SR_ID_BYTES * row_at((double)sr_prefix(probe) * ((double)count / PREFIXES), count));
}

size_t sr_fill_found(uint64_t *found, const uint8_t *ids, const uint8_t *numbers, size_t count, uint64_t first,
                     const uint8_t *probes, size_t asked) {
    size_t left = 0;
    for (size_t i = 0; i < asked; i++) {
        if (i + AHEAD < asked && found[i + AHEAD] == UINT64_MAX)
            expect(ids, count, probes + SR_ID_BYTES * (i + AHEAD));
        if (found[i] != UINT64_MAX) continue;
        uint32_t at = find(ids, count, probes + SR_ID_BYTES * i);
        if (at == SR_ABSENT)
            left++;
        else
            found[i] = first + sr_load_32(numbers + 4 * (size_t)at);
    }
    return left;
}

void sr_lookup(const uint8_t *ids, size_t count, const uint8_t *probes, size_t asked, uint8_t *positions) {
    for (size_t i = 0; i < asked; i++) sr_store_32(positions + 4 * i, find(ids, count, probes + SR_ID_BYTES * i));
}
