/* Reading many small files of one folder; gather_reference.py defines what it must answer. */

#ifndef STRONGROOM_GATHER_FILES_H
#define STRONGROOM_GATHER_FILES_H

#include <stddef.h>
#include <stdint.h>

struct sr_gathered {
    size_t begin, end; /* where its stat lies */
    int plain;         /* the rest is set only if it is */
    uint32_t uid, gid, flags;
    uint64_t size, inode;
};

/* What to read: the encoded stats from `at` on, at most `most` of them, and no file with one of the sorted inode
 * numbers in `avoided`. */
struct sr_gathering {
    int folder;
    const uint8_t *stats;
    size_t size, at, most;
    uint64_t limit;
    uint32_t kept; /* of the inode flags, those that are told */
    const uint64_t *avoided;
    size_t avoided_count;
};

/* Read the plain ones into `buffer`, end to end, and fill one row for each stat that was looked at; `count` is told how
 * many those are, and `at` goes behind the last of them. Returns -1 when the stats cannot be read. */
int sr_gather(struct sr_gathering *what, uint8_t *buffer, size_t room, struct sr_gathered *rows, size_t *count);

#endif
