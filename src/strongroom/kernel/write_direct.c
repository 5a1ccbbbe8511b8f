/* Writing a new file past the system's cache (ADR 74). */

#define _GNU_SOURCE
#include "write_direct.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    UNIT = 4096, /* positions, sizes and memory are multiples of this; no disk asks for more */
    STAGED = 1 << 20,
    GRACE_NS = 50 * 1000 * 1000,
    MOST_NS_PER_BYTE = 32, /* 31 MB/s; through the cache, a disk can put off and join what it would wait for here */
};

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static int is_slow(const sr_direct *by)
{
    return by->spent_ns > GRACE_NS + by->written * MOST_NS_PER_BYTE;
}

/* Write so many bytes, of which the file system may take fewer. */
static ptrdiff_t write_staged(sr_direct *by, int file, const uint8_t *data, size_t size)
{
    ptrdiff_t done = 0, written = STAGED;
    while (done < (ptrdiff_t)size && written == STAGED) {
        size_t piece = size - done < STAGED ? size - done : STAGED;
        memcpy(by->staging, data + done, piece);
        written = write(file, by->staging, piece);
        if (written < 0)
            return errno == EINVAL || errno == EINTR ? done : -1;
        done += written;
    }
    return done;
}

ptrdiff_t sr_write_direct(sr_direct *by, int file, const uint8_t *data, size_t size)
{
    if (is_slow(by) || (!by->staging && posix_memalign(&by->staging, UNIT, STAGED)))
        return 0;
    int flags = fcntl(file, F_GETFL);
    if (flags < 0 || fcntl(file, F_SETFL, flags | O_DIRECT))
        return 0;
    int64_t began = now_ns();
    ptrdiff_t done = write_staged(by, file, data, size - size % UNIT);
    int outcome = errno;
    by->spent_ns += now_ns() - began;
    by->written += done > 0 ? done : 0;
    fcntl(file, F_SETFL, flags);
    errno = outcome;
    return done;
}

void sr_free_direct(sr_direct *by)
{
    free(by->staging);
    by->staging = NULL;
}
