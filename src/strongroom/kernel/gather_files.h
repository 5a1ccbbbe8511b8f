/* Reading many small files of one folder; gather_reference.py defines what it must answer. */

#ifndef STRONGROOM_GATHER_FILES_H
#define STRONGROOM_GATHER_FILES_H

#include <stddef.h>
#include <stdint.h>

struct sr_gathered {
    int plain; /* the rest is set only if it is */
    uint32_t mode, uid, gid, flags;
    uint64_t size, inode;
    int64_t mtime_ns, ctime_ns;
};

/* Read the plain ones of `count` files into `buffer`, end to end; fill one row for each name that was looked at, and
 * return how many those are: fewer than `count` when the content of the next has no room. */
size_t sr_gather(int folder, const char *const *names, size_t count, size_t limit, uint8_t *buffer, size_t room,
                 struct sr_gathered *rows);

#endif
