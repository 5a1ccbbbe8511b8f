/* The join of a folder part as it was with the part as it is; join_reference.py defines what it must answer. */

#ifndef STRONGROOM_JOIN_PARTS_H
#define STRONGROOM_JOIN_PARTS_H

#include <stddef.h>
#include <stdint.h>

enum { SR_UNUSUAL = 1, SR_NO_MEMORY = 2 };

struct sr_row {
    uint32_t same;
    size_t old, old_end, tree, tree_end, data, data_end, new, new_end;
};

struct sr_rows {
    struct sr_row *rows; /* the caller's to free, whatever is returned */
    size_t count, tree, data;
};

/* Returns 0, or why there are no rows. */
int sr_join(const uint8_t *entries, size_t entries_size, const uint8_t *stats, size_t stats_size, struct sr_rows *rows);

#endif
