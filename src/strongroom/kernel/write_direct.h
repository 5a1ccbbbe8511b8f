/* Writing a new file past the system's cache (ADR 74). */

#ifndef STRONGROOM_WRITE_DIRECT_H
#define STRONGROOM_WRITE_DIRECT_H

#include <stddef.h>
#include <stdint.h>

/* How it went so far, and the memory that it takes; all zero at the beginning. */
typedef struct {
    void *staging;
    int64_t spent_ns;
    int64_t written;
} sr_direct;

/* Write what fills whole units of the disk, and return how many bytes that was; or -1 with errno. The rest, which is
 * all of it when the disk does not want it or takes too long, is to be written in the ordinary way. */
ptrdiff_t sr_write_direct(sr_direct *by, int file, const uint8_t *data, size_t size);

void sr_free_direct(sr_direct *by);

#endif
