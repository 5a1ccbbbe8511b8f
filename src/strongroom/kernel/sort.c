/* Sorting ids: a merge sort from the bottom up, stable and n log n on any input.
 *
 * What moves is a key of 16 bytes, the id's first eight and its position, so the ids themselves are only touched when
 * two of them begin alike. */

#include "sort.h"

#include <stdlib.h>
#include <string.h>

#include "lookup.h"

struct key {
    uint64_t prefix;
    size_t position;
};

static int goes_first(const uint8_t *ids, const struct key *a, const struct key *b) {
    if (a->prefix != b->prefix) return a->prefix < b->prefix;
    return memcmp(ids + SR_ID_BYTES * a->position, ids + SR_ID_BYTES * b->position, SR_ID_BYTES) <= 0;
}

/* Merge the sorted stretches from[low, middle) and from[middle, high) into to[low, high). */
static void merge(const uint8_t *ids, const struct key *from, struct key *to, size_t low, size_t middle, size_t high) {
    size_t left = low, right = middle;
    for (size_t at = low; at < high; at++) {
        int take_left = right >= high || (left < middle && goes_first(ids, &from[left], &from[right]));
        to[at] = take_left ? from[left++] : from[right++];
    }
}

static size_t min_size(size_t a, size_t b) { return a < b ? a : b; }

int sr_sort_ids(const uint8_t *ids, size_t count, uint8_t *positions) {
    struct key *keys = calloc(count, sizeof *keys), *spare = calloc(count, sizeof *spare);
    int enough = count == 0 || (keys != NULL && spare != NULL);
    for (size_t i = 0; enough && i < count; i++) keys[i] = (struct key){sr_prefix(ids + SR_ID_BYTES * i), i};
    for (size_t width = 1; enough && width < count; width *= 2) {
        for (size_t low = 0; low < count; low += 2 * width)
            merge(ids, keys, spare, low, min_size(low + width, count), min_size(low + 2 * width, count));
        struct key *swapped = keys;
        keys = spare;
        spare = swapped;
    }
    for (size_t i = 0; enough && i < count; i++) sr_store_32(positions + 4 * i, (uint32_t)keys[i].position);
    free(keys);
    free(spare);
    return enough ? 0 : -1;
}
